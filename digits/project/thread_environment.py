"""How the threads of torch wait, and what cuBLAS needs; the libraries read it once, at import."""

import os

# Idle OpenMP threads spin: with a busy neighbour an epoch takes 5 to 15 times as long. Threads
# that sleep at once cost a quarter of the pace on a quiet machine. So they spin for some
# microseconds: measured on two cores, the MLP's epoch is 2.65 s with 0 spins, 2.01 with 1,000
# and 1.91 with 30,000; with a neighbour 4.0, 3.7 and 13.6 s.
SETTINGS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "1000",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # equal results in every run
}


def set_thread_environment() -> None:
    """Set the variables that are not set yet. Call this before torch is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
