"""Numbers from predictions: accuracy with its interval, per-class scores, calibration."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from scipy.stats import binomtest

CONFIDENCE_LEVEL = 0.95  # of every interval
BINS = 15  # of equal width, as in Guo et al.

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]


@dataclass(frozen=True)
class Scores:
    """How good a model is on n labelled pictures."""

    n: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    loss: float
    ece: float

    def as_metrics(self) -> dict[str, object]:
        """The numbers as JSON holds them, rounded to what n can tell."""
        interval = [round(x, 6) for x in self.accuracy_interval]
        rounded = {name: round(x, 6) for name, x in vars(self).items() if isinstance(x, float)}
        return {"n": self.n, "accuracy_interval": interval, **rounded}


def score(logits: Floats, labels: Ints) -> Scores:
    """Score `logits` (n, classes) against `labels` (n,)."""
    right = int((logits.argmax(1) == labels).sum())
    likelihood = log_softmax(logits.astype(np.float64), axis=1)
    return Scores(
        n=len(labels),
        accuracy=right / len(labels),
        accuracy_interval=wilson_interval(right, len(labels)),
        loss=float(-likelihood[np.arange(len(labels)), labels].mean()),
        ece=calibration_error(reliability_curve(np.exp(likelihood), labels)),
    )


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share, after Wilson (1927): holds near 0 and 1 too."""
    bounds = binomtest(right, n).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
    return float(bounds.low), float(bounds.high)


def per_class(labels: Ints, predicted: Ints, classes: list[str]) -> list[dict[str, object]]:
    """Precision, recall and F1 of each class, and how many pictures it has."""
    from sklearn.metrics import precision_recall_fscore_support

    names = list(range(len(classes)))
    columns = precision_recall_fscore_support(labels, predicted, labels=names, zero_division=0)
    rows = zip(classes, *columns, strict=True)
    return [
        {
            "class": c,
            "precision": round(p, 6),
            "recall": round(r, 6),
            "f1": round(f, 6),
            "n": int(n),
        }
        for c, p, r, f, n in rows
    ]


def reliability_curve(probabilities: Floats, labels: Ints) -> list[dict[str, float]]:
    """Per bin of confidence: how many pictures, their mean confidence and accuracy.

    Empty bins are left out. Source: Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
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
    """Expected calibration error of a `reliability` curve, as a fraction (Guo et al. 2017)."""
    n = sum(row["n"] for row in curve)
    return sum(row["n"] / n * abs(row["confidence"] - row["accuracy"]) for row in curve)
