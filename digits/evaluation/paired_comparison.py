"""Two models on the same images: who is right where, calibration, latency.

Which model becomes champion is decided in `registry`; the report for people is in
`model_comparison`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from digits.datasets.split_files import LabelledImages
from digits.evaluation import scores, significance
from digits.evaluation.latency import measure_latencies
from digits.evaluation.scores import Floats, Ints
from digits.inference import classifier
from digits.project.errors import UserError

SEED = 1  # of the bootstrap


class IncomparableError(UserError):
    """Two models have different classes."""


@dataclass(frozen=True)
class ModelScores:
    """One of the two models: `recall` per class, `seconds` per image."""

    correct: int
    recall: Sequence[float]
    ece: float
    seconds: float


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same `n` images of `classes`.

    Only the candidate classifies `gained` images correctly, only the champion `lost` images.
    `p_value` and `interval` are of the difference of their accuracies, as in `significance`.
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
        """Accuracy of the candidate minus that of the champion, a fraction."""
        return (self.gained - self.lost) / self.n


def compare_models(
    candidate: Path, champion: Path, images: LabelledImages
) -> tuple[PairedComparison, tuple[Ints, Ints]]:
    """Compare the models in two folders; also return the classes that each predicts, (n,).

    Raises IncomparableError when their classes differ, UserError when a model is missing or
    damaged.
    """
    models = [classifier.load(folder) for folder in (candidate, champion)]
    classes, others = (model.classes for model in models)
    if classes != others:
        names = f"{', '.join(classes)}; {', '.join(others)}"
        raise IncomparableError(f"different classes ({names[:300]})")
    seconds = measure_latencies([candidate, champion], images.images[:1])
    logits = [model.logits(images.images) for model in models]
    both = [_score(*pair, images.labels, classes) for pair in zip(logits, seconds, strict=True)]
    predicted = logits[0].argmax(1), logits[1].argmax(1)
    a, b = (answer == images.labels for answer in predicted)
    comparison = PairedComparison(
        n=len(images),
        classes=classes,
        candidate=both[0],
        champion=both[1],
        gained=int((a & ~b).sum()),
        lost=int((b & ~a).sum()),
        p_value=significance.mcnemar_p_value(a, b),
        interval=significance.difference_interval(a, b, SEED),
    )
    return comparison, predicted


def _score(logits: Floats, seconds: float, labels: Ints, classes: list[str]) -> ModelScores:
    predicted = logits.argmax(1)
    recall = [float(row["recall"]) for row in scores.per_class(labels, predicted, classes)]
    correct, ece = int((predicted == labels).sum()), scores.score(logits, labels).ece
    return ModelScores(correct=correct, recall=recall, ece=ece, seconds=seconds)
