"""The paper that a small grey picture shows: where it lies, how it is lit, what is on it.

All functions take a thumbnail, uint8 [height, width], at most THUMB pixels a side. Widths of
structures are shares of its longer side: nothing is known yet of digits or pens.
"""

import cv2
import numpy as np

from digits.preprocessing.array_types import ByteArray
from digits.preprocessing.stroke_width import stroke_width
from digits.preprocessing.thresholds import estimate_thresholds, quantile
from digits.preprocessing.thumbnails import smoothed, square_kernel

WIDEST = 0.35  # a stroke is thinner, what is wider is shadow or paper
REACH = 4.0  # stroke widths: what is wider than this is no stroke of the pen
SOLID = 0.25  # of the way from ink to paper: what is darker is ink however wide it is


def estimate_background(flat: ByteArray) -> ByteArray:
    """The paper under dark ink: first any stroke is filled in, then this pen's strokes."""
    smooth = smoothed(flat)
    widest = int(WIDEST * max(flat.shape)) | 1
    paper = _fill_strokes(smooth, widest)
    size = 2 * int(REACH * stroke_width(_ink_mask(cv2.subtract(paper, smooth))) / 2 + 2) + 1
    return smoothed(paper if size >= widest else _fill_strokes(smooth, size))


def _fill_strokes(thumb: ByteArray, size: int) -> ByteArray:
    """`thumb` without what is dark and narrower than `size`, and without what is solid ink."""
    filled = cv2.morphologyEx(
        thumb, cv2.MORPH_CLOSE, square_kernel(size), borderType=cv2.BORDER_REFLECT
    )
    amount = cv2.subtract(filled, thumb)
    inked = _ink_mask(amount)
    if not cv2.countNonZero(inked):
        return filled
    # along the picture's edge a stroke may seem too wide; but it is as dark as the others
    dark, white = quantile(thumb, 0.2, inked), quantile(filled, 0.9)
    darkest = (thumb < dark + SOLID * (white - dark)).view(np.uint8)
    core = cv2.erode(cv2.subtract(darkest, inked), square_kernel(3))
    if not cv2.countNonZero(core):
        return filled
    solid = cv2.dilate(core, square_kernel(5))  # an opening by 3 pixels, then one more on each side
    if _max_width(solid) > WIDEST * max(thumb.shape):
        return filled  # a shadow
    return np.maximum(filled, solid * np.uint8(white))


def _ink_mask(amount: ByteArray) -> ByteArray:
    """Where there is more than half of the ink's typical `amount`: 1, elsewhere 0."""
    return cv2.threshold(amount, max(estimate_thresholds(amount).ink / 2, 1), 1, cv2.THRESH_BINARY)[
        1
    ]


def _max_width(mask: ByteArray) -> float:
    """The width in pixels of the widest part of `mask`, which may go on beyond the picture."""
    pad = max(mask.shape) // 2
    wide = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_REFLECT)
    return 2 * float(cv2.distanceTransform(wide, cv2.DIST_L2, 3).max())
