"""Two models side by side on the same pictures: right or wrong, calibration, latency."""

import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stages.lib import classifier, gate, paired, scores
from stages.lib.classifier import Classifier
from stages.lib.dataset import Pictures
from stages.lib.errors import UserError

ROUNDS = 30  # of latency; each model in turn, so that a busy moment meets both
CALLS = 20  # a round
WARM_UP = 50  # calls that are not counted
SEED = 1  # of the bootstrap


class IncomparableError(UserError):
    """Two models that do not answer the same question."""


def contest(candidate: Path, champion: Path, pictures: Pictures) -> gate.Contest:
    """What the gate's rules ask of the models in two folders.

    Raises IncomparableError when their classes differ, UserError when one is missing or
    damaged.
    """
    models = [classifier.load(folder) for folder in (candidate, champion)]
    ours, theirs = (", ".join(model.classes) for model in models)
    if ours != theirs:
        raise IncomparableError(f"the candidate knows {ours}, the champion {theirs}"[:300])
    seconds = latencies([candidate, champion], pictures.images[:1])
    answers = [model.logits(pictures.images) for model in models]
    a, b = (answer.argmax(1) == pictures.labels for answer in answers)
    sides = [
        _side(model, answer, pictures, spent)
        for model, answer, spent in zip(models, answers, seconds, strict=True)
    ]
    return gate.Contest(
        n=len(pictures),
        classes=models[0].classes,
        candidate=sides[0],
        champion=sides[1],
        gained=int((a & ~b).sum()),
        lost=int((b & ~a).sum()),
        p=paired.mcnemar(a, b),
        interval=paired.difference_interval(a, b, SEED),
    )


def _side(
    model: Classifier, logits: NDArray[np.float32], pictures: Pictures, seconds: float
) -> gate.Side:
    rows: list[Any] = scores.per_class(pictures.labels, logits.argmax(1), model.classes)
    return gate.Side(
        right=int((logits.argmax(1) == pictures.labels).sum()),
        recall=[float(row["recall"]) for row in rows],
        ece=scores.score(logits, pictures.labels).ece,
        seconds=seconds,
    )


def latencies(folders: list[Path], picture: NDArray[np.uint8]) -> list[float]:
    """The median seconds that each model takes for `picture` (1, 28, 28), on one thread.

    Measured in turns on ONNX Runtime. The ratio means something on a busy machine, too; the
    seconds are of this machine and moment.
    """
    sessions = [_single(folder / classifier.ONNX) for folder in folders]
    feed = {"pictures": picture}
    for session in sessions:
        for _ in range(WARM_UP):
            session.run(None, feed)
    spent: list[list[float]] = [[] for _ in sessions]
    for _ in range(ROUNDS):
        for session, times in zip(sessions, spent, strict=True):
            for _ in range(CALLS):
                start = time.perf_counter()
                session.run(None, feed)
                times.append(time.perf_counter() - start)
    return [median(times) for times in spent]


def _single(graph: Path) -> Any:
    """A session that uses one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
