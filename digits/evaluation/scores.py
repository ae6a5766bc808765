"""Scores of predictions: accuracy with its interval, scores per class, calibration error.

All functions take arrays. Drawing them is in `figures`, two models at once in `significance`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE_LEVEL = 0.95  # of every interval
BINS = 15  # of equal width, as in Guo et al.

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]


@dataclass(frozen=True)
class Scores:
    """Scores of a model on n labelled images; shares are fractions.

    `balanced_accuracy` is the mean recall of all classes that have images.
    """

    n: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: float
    loss: float
    ece: float

    def as_metrics(self) -> dict[str, object]:
        """Return the scores as JSON values, rounded to six digits."""
        interval = [round(x, 6) for x in self.accuracy_interval]
        rounded = {name: round(x, 6) for name, x in vars(self).items() if isinstance(x, float)}
        return {"n": self.n, "accuracy_interval": interval, **rounded}


def comparable(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers that `dvc metrics diff` compares between two models.

    Left out are intervals, which follow from the accuracy and n; the temperature, which the
    model's manifest has; and the calibration error on the images that it was fitted to.
    """
    endings = "_interval", "temperature", "validation_ece"
    return {k: v for k, v in numbers.items() if not k.endswith(endings)}


def score(logits: Floats, labels: Ints) -> Scores:
    """Score `logits` (n, classes) against `labels` (n,)."""
    from scipy.special import log_softmax  # not installed where a model is only used

    n, is_right = len(labels), logits.argmax(1) == labels
    right = int(is_right.sum())
    likelihood = log_softmax(logits.astype(np.float64), axis=1)
    return Scores(
        n=n,
        accuracy=right / n,
        accuracy_interval=wilson_interval(right, n),
        balanced_accuracy=balanced_accuracy(is_right, labels),
        loss=float(-likelihood[np.arange(n), labels].mean()),
        ece=calibration_error(reliability_curve(np.exp(likelihood), labels)),
    )


def balanced_accuracy(is_right: NDArray[np.bool_], labels: Ints) -> float:
    """Return the mean over classes of the share of their images, (n,), that are right."""
    counts = np.bincount(labels)
    right = np.bincount(labels, weights=is_right)
    return float((right[counts > 0] / counts[counts > 0]).mean()) if len(labels) else 0.0


def describe_accuracy(numbers: Mapping[str, Any], prefix: str = "") -> str:
    """Return in words the accuracy in `Scores.as_metrics`, whose keys may have a prefix."""
    n, interval = (numbers.get(f"{prefix}{key}") for key in ("n", "accuracy_interval"))
    images = f"{n:,} images" if n else "the images"
    text = f"{numbers[f'{prefix}accuracy']:.2%} of {images} are read right"
    balanced = numbers.get(f"{prefix}balanced_accuracy")
    remarks = [f"95 % interval {interval[0]:.2%} to {interval[1]:.2%}"] if interval else []
    remarks += [] if balanced is None else [f"balanced accuracy {balanced:.2%}"]
    return f"{text} ({', '.join(remarks)})" if remarks else text


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, after Wilson 1927; it holds near 0 and 1 too."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE_LEVEL) / 2)
    center = (right + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * (right * (n - right) / n + z**2 / 4) ** 0.5
    return max(0.0, center - half), min(1.0, center + half)


def per_class(labels: Ints, predicted: Ints, classes: list[str]) -> list[dict[str, Any]]:
    """Return precision, recall, F1 and the number of images of each class."""
    from sklearn.metrics import precision_recall_fscore_support

    indices = range(len(classes))
    columns = precision_recall_fscore_support(labels, predicted, labels=indices, zero_division=0)
    names = ("precision", "recall", "f1")
    return [
        {"class": c, **{k: round(x, 6) for k, x in zip(names, row, strict=True)}, "n": int(n)}
        for c, *row, n in zip(classes, *columns, strict=True)
    ]


def reliability_curve(probabilities: Floats, labels: Ints) -> list[dict[str, float]]:
    """Return the number of images, mean confidence and accuracy per bin of confidence.

    Empty bins are left out. Guo et al. 2017 ("On calibration of modern neural networks").
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "bin": b / BINS,
            "n": int((bins == b).sum()),
            "confidence": round(float(confidence[bins == b].mean()), 6),
            "accuracy": round(float(right[bins == b].mean()), 6),
        }
        for b in np.unique(bins).tolist()
    ]


def calibration_error(curve: list[dict[str, float]]) -> float:
    """Return the expected calibration error, a fraction, of a reliability curve."""
    n = sum(row["n"] for row in curve)
    return sum(row["n"] / n * abs(row["confidence"] - row["accuracy"]) for row in curve)
