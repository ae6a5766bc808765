"""TODO"""

import cv2
import numpy as np

from digits.preprocessing.array_types import ByteArray
from digits.preprocessing.stroke_width import mean_stroke_width
from digits.preprocessing.thresholds import estimate_thresholds

LONG = 0.4  # of the picture's side: no stroke of a digit runs straight so far
FINE = 0.012  # of the picture's longer side: half as thick as a printed line may be
CROOKED = 0.012  # of the picture's side: how far a line may leave the straight on such a way
THINNER = 0.8  # of the pen's width: lines are printed finer than people write
MANY = 6  # lines' lengths: more than in any digit that fills the picture


def remove_lines(amount: ByteArray) -> ByteArray | None:
    """`amount`, uint8 [height, width], without lines along or across; None if it has none.

    A grey-scale opening finds what runs straight for long; that much is taken away, so that
    strokes that cross a line keep what they have more than it.
    """
    rest = _remove_horizontal_lines(amount)
    rest = cv2.transpose(_remove_horizontal_lines(cv2.transpose(rest)))
    return rest if _are_printed(cv2.subtract(amount, rest), rest) else None


def _remove_horizontal_lines(amount: ByteArray) -> ByteArray:
    rest = cv2.subtract(amount, _horizontal_lines(amount))
    # a stroke as dark as the line has a gap now: bridge it from above to below
    gap = cv2.subtract(amount, rest)
    reach = np.ones((4 * _line_wander(amount) + 5, 1), np.uint8)
    return cv2.max(rest, cv2.min(cv2.morphologyEx(rest, cv2.MORPH_CLOSE, reach), gap))


def _are_printed(lines: ByteArray, rest: ByteArray) -> bool:
    """Whether `lines` are thinner than the pen that wrote the `rest`, or more than strokes are."""
    found, left = (
        (amount > estimate_thresholds(amount).half).astype(np.uint8) for amount in (lines, rest)
    )
    if not found.any():
        return False
    thick = mean_stroke_width(found)
    count = found.sum() / (LONG * max(lines.shape) * thick)
    return bool(count > MANY or (thick < THINNER * mean_stroke_width(left)))


def _horizontal_lines(amount: ByteArray) -> ByteArray:
    """How much of each pixel belongs to a fine line from left to right."""
    thickest = 2 * int(FINE * max(amount.shape)) + 3
    fine = cv2.morphologyEx(amount, cv2.MORPH_TOPHAT, np.ones((thickest, 1), np.uint8))
    along = np.ones((1, max(3, int(LONG * amount.shape[1]))), np.uint8)
    near = cv2.dilate(fine, np.ones((2 * _line_wander(amount) + 1, 1), np.uint8))
    # where lines cross, neither is fine
    near = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((1, thickest), np.uint8))
    return cv2.min(fine, cv2.morphologyEx(near, cv2.MORPH_OPEN, along))


def _line_wander(amount: ByteArray) -> int:
    return max(1, int(CROOKED * amount.shape[1]))
