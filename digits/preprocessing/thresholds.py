"""What is typical of ink: its amount, from a picture's histogram, and the width of its strokes.

Also the types of arrays that the modules which read pictures name.
"""

from typing import NamedTuple

import cv2
import numpy as np

from digits.preprocessing.array_types import ByteArray, FloatArray

SAMPLE = 128  # rows of a picture, at least: more say the same
RARE = 16  # pixels: so many of the darkest may be anything
VALUES = np.arange(256)
NORMAL = 1.4826  # standard deviations per median absolute deviation


class Thresholds(NamedTuple):
    """Mean amount of `paper` and of `ink`, and `noise`: the spread of the paper's amounts."""

    paper: float
    ink: float
    noise: float

    @property
    def half(self) -> float:
        """The amount halfway between paper and ink."""
        return (self.paper + self.ink) / 2


def estimate_thresholds(amount: ByteArray) -> Thresholds:
    """The levels of a picture of amounts, 0 none, by Ridler and Calvard's iteration.

    It starts from the darkest, so that ink may be a thousandth of the picture or most of it
    ("Picture thresholding using an iterative selection method", 1978).
    """
    counts = _histogram(amount[:: max(1, len(amount) // SAMPLE)])
    below = counts.cumsum()
    count, total = below.tolist(), (counts * VALUES).cumsum().tolist()  # the loop is quicker so
    half = float(below.searchsorted(count[-1] - RARE)) / 2
    for _ in range(50):
        at = int(half)
        paper = total[at] / max(count[at], 1)
        ink = (total[-1] - total[at]) / max(count[-1] - count[at], 1)
        half, before = (paper + ink) / 2, half
        if abs(half - before) < 0.5:
            break
    at = int(half) + 1
    middle = below.searchsorted(count[at - 1] / 2)
    far = np.bincount(np.abs(VALUES[:at] - middle), counts[:at]).cumsum()
    return Thresholds(paper, ink, NORMAL * float(far.searchsorted(far[-1] / 2)))


def quantile(values: ByteArray, share: float, where: ByteArray | None = None) -> float:
    """What np.quantile says of these bytes, a fifth of its time: they are counted, not sorted.

    `where` is not 0 where they count; None: everywhere.
    """
    below = _histogram(values, where).cumsum()
    place = share * (float(below[-1]) - 1)
    low, high = (int(below.searchsorted(rank, "right")) for rank in (int(place), -int(-place // 1)))
    return low + (high - low) * (place % 1)


def median(values: FloatArray) -> float:
    """The median of [n] values, a third of np.median's time where they are few."""
    ordered = np.sort(values)
    return float(ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2


def _histogram(values: ByteArray, where: ByteArray | None = None) -> FloatArray:
    """How often each of 256 values occurs."""
    return cv2.calcHist([values], [0], where, [256], [0, 256]).ravel()
