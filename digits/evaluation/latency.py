"""TODO"""

import timeit
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from digits.inference import classifier, model_integrity

ROUNDS = 30  # of latency; each model in turn, so that a busy moment meets both
CALLS = 20  # a round
WARM_UP = 50  # calls that are not counted


def measure_latencies(folders: Sequence[Path], picture: NDArray[np.uint8]) -> list[float]:
    """The median seconds that each model takes for `picture` (1, 28, 28), on one thread.

    Measured in turns on ONNX Runtime. The ratio means something on a busy machine, too; the
    seconds are of this machine and moment.
    """
    sessions = [classifier.session(folder / model_integrity.ONNX, threads=1) for folder in folders]
    calls = [partial(session.run, None, {"pictures": picture}) for session in sessions]
    for call in calls:
        timeit.timeit(call, number=WARM_UP)
    spent: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, times in zip(calls, spent, strict=True):
            times.extend(timeit.repeat(call, number=1, repeat=CALLS))
    return [median(times) for times in spent]
