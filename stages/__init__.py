"""The pipeline's steps, one module each; what they share is in stages/lib."""

import os

# Idle OpenMP threads spin: with a busy neighbour an epoch takes 5 to 15 times as long.
# The library reads this once, when torch is loaded, so it must be said before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What cuBLAS needs for equal results in every run, likewise read once.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
