"""The parts of the HTTP service; `stages.serve` starts it."""
