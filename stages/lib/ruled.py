"""Ruled and squared paper: ink -> ink without the printed lines."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.lib.levels import levels

Bytes = NDArray[np.uint8]

LONG = 0.4  # of the picture's side: no stroke of a digit runs straight so far
FINE = 0.012  # of the picture's longer side: half as thick as a printed line may be
CROOKED = 0.012  # of the picture's side: how far a line may leave the straight on such a way
THINNER = 0.8  # of the pen's width: lines are printed finer than people write
MANY = 6  # lines' lengths: more than in any digit that fills the picture


def without_lines(amount: Bytes) -> Bytes | None:
    """`amount`, uint8 [height, width], without lines along or across; None if it has none.

    A grey-scale opening finds what runs straight for long; that much is taken away, so that
    strokes that cross a line keep what they have more than it.
    """
    before = amount
    for turned in (False, True):
        if turned:
            amount = cv2.transpose(amount)
        rest = cv2.subtract(amount, _lines(amount))
        # a stroke as dark as the line has a gap now: bridge it from above to below
        gap = cv2.subtract(amount, rest)
        reach = np.ones((4 * _spread(amount) + 5, 1), np.uint8)
        bridged = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, reach)
        amount = cv2.max(rest, cv2.min(bridged, gap))
        if turned:
            amount = cv2.transpose(amount)
    return amount if _printed(cv2.subtract(before, amount), amount) else None


def _printed(lines: Bytes, rest: Bytes) -> bool:
    """Whether `lines` are thinner than the pen that wrote the `rest`, or more than strokes are."""
    found, left = ((amount > levels(amount).half).astype(np.uint8) for amount in (lines, rest))
    if not found.any():
        return False
    thick = pen(found)
    count = found.sum() / (LONG * max(lines.shape) * thick)
    return bool(count > MANY or (left.any() and thick < THINNER * pen(left)))


def _lines(amount: Bytes) -> Bytes:
    """How much of each pixel belongs to a fine line from left to right."""
    thickest = 2 * int(FINE * max(amount.shape)) + 3
    fine = cv2.morphologyEx(amount, cv2.MORPH_TOPHAT, np.ones((thickest, 1), np.uint8))
    along = np.ones((1, max(3, int(LONG * amount.shape[1]))), np.uint8)
    near = cv2.dilate(fine, np.ones((2 * _spread(amount) + 1, 1), np.uint8))
    # where lines cross, neither is fine
    near = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((1, thickest), np.uint8))
    return cv2.min(fine, cv2.morphologyEx(near, cv2.MORPH_OPEN, along))


def _spread(amount: Bytes) -> int:
    return max(1, int(CROOKED * amount.shape[1]))


def pen(mask: Bytes) -> float:
    """The width of the strokes of `mask`, 0 or 1, in pixels, from their area and outline."""
    area = cv2.countNonZero(mask)
    inner = cv2.countNonZero(cv2.erode(mask, np.ones((3, 3), np.uint8)))
    return 2 * area / max(area - inner, 1)
