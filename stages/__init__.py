"""The pipeline's steps, one module each; what they share is in stages/lib."""

import os

# Idle OpenMP threads spin: with a busy neighbour an epoch takes 5 to 15 times as long. Threads
# that sleep at once cost a quarter of the pace on a quiet machine. So they spin for some
# microseconds: measured on two cores, the MLP's epoch is 2.65 s with 0 spins, 2.01 with 1,000
# and 1.91 with 30,000; with a neighbour 4.0, 3.7 and 13.6 s.
# The library reads this once, when torch is loaded, so it must be said before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# What cuBLAS needs for equal results in every run, likewise read once.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
