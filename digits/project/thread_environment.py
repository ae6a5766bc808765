"""Environment variables for the threads of torch and for cuBLAS, which read them at import."""

import os

# Idle OpenMP threads spin. Beside a busy program, long spinning makes an epoch several times as
# long; on an idle machine, threads that sleep at once are slower. 1,000 spins take some
# microseconds, a compromise. To compare: `GOMP_SPINCOUNT=30000 python -m tests.bench.bench_epoch`
# prints the time of an epoch alone and beside a busy program.
SETTINGS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "1000",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # equal results in every run
}


def set_thread_environment() -> None:
    """Set the variables that are not set yet. Call this before torch is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
