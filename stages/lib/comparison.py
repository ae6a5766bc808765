"""Two models side by side on the same pictures: right or wrong, calibration, latency."""

import timeit
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.lib import classifier, gate, paired, scores
from stages.lib.dataset import Pictures
from stages.lib.errors import UserError

ROUNDS = 30  # of latency; each model in turn, so that a busy moment meets both
CALLS = 20  # a round
WARM_UP = 50  # calls that are not counted
SEED = 1  # of the bootstrap

Ints = NDArray[np.int64]


class IncomparableError(UserError):
    """Two models that do not answer the same question."""


def measured(
    candidate: Path, champion: Path, pictures: Pictures
) -> tuple[gate.Contest, tuple[Ints, Ints]]:
    """The contest of the models in two folders, and the classes that each predicts, (n,).

    Raises IncomparableError when their classes differ, UserError when one is missing or
    damaged.
    """
    models = [classifier.load(folder) for folder in (candidate, champion)]
    classes = models[0].classes
    if classes != models[1].classes:
        ours, theirs = (", ".join(model.classes) for model in models)
        raise IncomparableError(f"the candidate knows {ours}, the champion {theirs}"[:300])
    seconds = latencies([candidate, champion], pictures.images[:1])
    logits = [model.logits(pictures.images) for model in models]
    sides = [_side(*pair, pictures, classes) for pair in zip(logits, seconds, strict=True)]
    predicted = logits[0].argmax(1), logits[1].argmax(1)
    a, b = (answer == pictures.labels for answer in predicted)
    found = gate.Contest(
        n=len(pictures),
        classes=classes,
        candidate=sides[0],
        champion=sides[1],
        gained=int((a & ~b).sum()),
        lost=int((b & ~a).sum()),
        p=paired.mcnemar(a, b),
        interval=paired.difference_interval(a, b, SEED),
    )
    return found, predicted


def _side(
    logits: NDArray[np.float32], seconds: float, pictures: Pictures, classes: list[str]
) -> gate.Side:
    rows: list[Any] = scores.per_class(pictures.labels, logits.argmax(1), classes)
    return gate.Side(
        right=int((logits.argmax(1) == pictures.labels).sum()),
        recall=[float(row["recall"]) for row in rows],
        ece=scores.score(logits, pictures.labels).ece,
        seconds=seconds,
    )


def latencies(folders: Sequence[Path], picture: NDArray[np.uint8]) -> list[float]:
    """The median seconds that each model takes for `picture` (1, 28, 28), on one thread.

    Measured in turns on ONNX Runtime. The ratio means something on a busy machine, too; the
    seconds are of this machine and moment.
    """
    sessions = [classifier.session(folder / classifier.ONNX, threads=1) for folder in folders]
    calls = [partial(session.run, None, {"pictures": picture}) for session in sessions]
    for call in calls:
        timeit.timeit(call, number=WARM_UP)
    spent: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, times in zip(calls, spent, strict=True):
            times.extend(timeit.repeat(call, number=1, repeat=CALLS))
    return [median(times) for times in spent]
