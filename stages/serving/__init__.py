"""The parts of the HTTP service; `stages.serving.server` starts it."""
