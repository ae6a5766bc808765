"""Two models side by side on the same pictures: right or wrong, calibration, latency."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.datasets.split_files import LabelledImages
from digits.evaluation import scores, significance
from digits.evaluation.latency import measure_latencies
from digits.inference import classifier
from digits.project.errors import UserError

SEED = 1  # of the bootstrap

Ints = NDArray[np.int64]


class IncomparableError(UserError):
    """Two models that do not answer the same question."""


@dataclass(frozen=True)
class ModelScores:
    """One of two models on the same pictures: `recall` per class, `seconds` per picture."""

    correct: int
    recall: Sequence[float]
    ece: float
    seconds: float


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same `n` pictures of `classes`.

    `gained` pictures only the candidate labels rightly, `lost` only the champion; `p` and
    `interval` are of the difference of their accuracies, as in `paired`.
    """

    n: int
    classes: Sequence[str]
    candidate: ModelScores
    champion: ModelScores
    gained: int
    lost: int
    p_value: float
    interval: tuple[float, float]

    @property
    def difference(self) -> float:
        """The accuracy of the candidate minus that of the champion."""
        return (self.gained - self.lost) / self.n


def compare_models(
    candidate: Path, champion: Path, pictures: LabelledImages
) -> tuple[PairedComparison, tuple[Ints, Ints]]:
    """The contest of the models in two folders, and the classes that each predicts, (n,).

    Raises IncomparableError when their classes differ, UserError when one is missing or
    damaged.
    """
    models = [classifier.load(folder) for folder in (candidate, champion)]
    classes = models[0].classes
    if classes != models[1].classes:
        ours, theirs = (", ".join(model.classes) for model in models)
        raise IncomparableError(f"the candidate knows {ours}, the champion {theirs}"[:300])
    seconds = measure_latencies([candidate, champion], pictures.images[:1])
    logits = [model.logits(pictures.images) for model in models]
    sides = [_model_scores(*pair, pictures, classes) for pair in zip(logits, seconds, strict=True)]
    predicted = logits[0].argmax(1), logits[1].argmax(1)
    a, b = (answer == pictures.labels for answer in predicted)
    found = PairedComparison(
        n=len(pictures),
        classes=classes,
        candidate=sides[0],
        champion=sides[1],
        gained=int((a & ~b).sum()),
        lost=int((b & ~a).sum()),
        p_value=significance.mcnemar_p_value(a, b),
        interval=significance.difference_interval(a, b, SEED),
    )
    return found, predicted


def _model_scores(
    logits: NDArray[np.float32], seconds: float, pictures: LabelledImages, classes: list[str]
) -> ModelScores:
    rows: list[Any] = scores.per_class(pictures.labels, logits.argmax(1), classes)
    return ModelScores(
        correct=int((logits.argmax(1) == pictures.labels).sum()),
        recall=[float(row["recall"]) for row in rows],
        ece=scores.score(logits, pictures.labels).ece,
        seconds=seconds,
    )
