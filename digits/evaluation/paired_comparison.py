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
from digits.inference.classifier import Classifier
from digits.preprocessing import class_names
from digits.project.errors import UserError

SEED = 1  # of the bootstrap


class IncomparableError(UserError):
    """Two models, or a model and the images, have different classes or images."""


@dataclass(frozen=True)
class ModelScores:
    """One of the two models: `recall` per class, `seconds` per image.

    `balanced` is the mean recall of the classes that have images.
    """

    correct: int
    recall: Sequence[float]
    ece: float
    seconds: float
    balanced: float


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same `n` images of `classes`.

    Only the candidate classifies `gained` images correctly, only the champion `lost` images.
    `p_value` and `interval` are of the difference of their accuracies, and `balanced_p_value`
    and `balanced_interval` of that of their balanced accuracies, as in `significance`.
    """

    n: int
    classes: Sequence[str]
    candidate: ModelScores
    champion: ModelScores
    gained: int
    lost: int
    p_value: float
    interval: tuple[float, float]
    balanced_p_value: float
    balanced_interval: tuple[float, float]

    @property
    def difference(self) -> float:
        """Accuracy of the candidate minus that of the champion, a fraction."""
        return (self.gained - self.lost) / self.n

    @property
    def balanced_difference(self) -> float:
        """Balanced accuracy of the candidate minus that of the champion, a fraction."""
        return self.candidate.balanced - self.champion.balanced


def compare_models(
    candidate: Path, champion: Path, images: LabelledImages
) -> tuple[PairedComparison, tuple[Ints, Ints]]:
    """Compare the models in two folders; also return the classes that each predicts, (n,).

    Raises IncomparableError when their classes or images differ, or those of `images`, UserError
    when a model is missing or damaged.
    """
    models = [classifier.load(folder) for folder in (candidate, champion)]
    _check_comparable(models[0], models[1], images)
    classes = models[0].classes
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
        balanced_p_value=significance.balanced_p_value(a, b, images.labels, SEED),
        balanced_interval=significance.balanced_interval(a, b, images.labels, SEED),
    )
    return comparison, predicted


def _check_comparable(candidate: Classifier, champion: Classifier, images: LabelledImages) -> None:
    """Raise IncomparableError unless both models and the images have equal classes and form."""
    classes, others = (describe_classes(model.classes) for model in (candidate, champion))
    if candidate.classes != champion.classes:
        raise IncomparableError(f"different classes ({classes}; {others})")
    if candidate.format != champion.format:
        formats = (f"{f.kind} of {f.side} pixels" for f in (candidate.format, champion.format))
        raise IncomparableError(f"different images ({'; '.join(formats)})")
    if (candidate.classes, candidate.format) != (list(images.classes), images.format):
        found = describe_classes(images.classes)
        raise IncomparableError(f"other classes or images than the validation data ({found})")


def describe_classes(classes: Sequence[str]) -> str:
    """Return the classes in a few words: all names if they are short, else some of them."""
    names = ", ".join(class_names.shorten(name, 40) for name in classes)
    if len(names) <= 100:
        return names
    first, second, last = (class_names.shorten(classes[i], 20) for i in (0, 1, -1))
    return f"{len(classes)}: {first}, {second} to {last}"


def _score(logits: Floats, seconds: float, labels: Ints, classes: list[str]) -> ModelScores:
    predicted = logits.argmax(1)
    recall = [float(row["recall"]) for row in scores.per_class(labels, predicted, classes)]
    correct, ece = int((predicted == labels).sum()), scores.score(logits, labels).ece
    balanced = scores.balanced_accuracy(predicted == labels, labels)
    return ModelScores(correct, recall, ece, seconds, balanced)
