"""Assign digits to rows of text; rows may slope."""

import numpy as np
from numpy.typing import NDArray

from digits.preprocessing.array_types import IntArray


def assign_rows(boxes: IntArray) -> IntArray:
    """Return the row of each of `boxes` [n, 4], from 0 at the top."""
    if len(boxes) < 2:
        return np.zeros(len(boxes), np.int64)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    height = float(np.median(boxes[:, 3] - boxes[:, 1]))
    level = y - _row_slope(x, y, height) * x
    order = np.argsort(level)
    row = np.empty(len(boxes), np.int64)
    row[order] = np.cumsum(np.diff(level[order], prepend=level[order[0]]) > 0.5 * height)
    return row


def _row_slope(x: NDArray[np.float64], y: NDArray[np.float64], height: float) -> float:
    """Return the median slope from each digit to the next, in pixels down per pixel right."""
    across, down = x[None] - x[:, None], y[None] - y[:, None]
    across = np.where((across > 0) & (np.abs(down) < 0.6 * height), across, np.inf)
    following = across.argmin(1)
    steps = np.nonzero(np.isfinite(across.min(1)))[0]
    if not len(steps):
        return 0.0
    return float(np.median(down[steps, following[steps]] / across[steps, following[steps]]))
