"""Median latency of exported models on ONNX Runtime, measured in turns.

The latency of the service with its queue and HTTP is measured by tests/bench/bench_serve.py.
"""

import timeit
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from digits.inference import classifier, model_integrity

ROUNDS = 30  # each model once per round, so that other load on the machine affects all alike
CALLS = 20  # per round
WARM_UP = 50  # calls that are not counted


def measure_latencies(folders: Sequence[Path], image: NDArray[np.uint8]) -> list[float]:
    """Return each model's median seconds for `image` (1, side, side[, 3]), on one thread.

    The seconds depend on the machine and its load; their ratio hardly does.
    """
    sessions = [classifier.session(folder / model_integrity.ONNX, threads=1) for folder in folders]
    calls = [partial(session.run, None, _feed(session, image)) for session in sessions]
    for call in calls:
        timeit.timeit(call, number=WARM_UP)
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, times in zip(calls, seconds, strict=True):
            times.extend(timeit.repeat(call, number=1, repeat=CALLS))
    return [median(times) for times in seconds]


def _feed(session: InferenceSession, image: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Return the input of a session; gray images are repeated where it takes colors."""
    source = session.get_inputs()[0]
    is_gray = image.ndim == 3 and len(source.shape) == 4
    return {source.name: np.repeat(image[..., None], 3, axis=3) if is_gray else image}
