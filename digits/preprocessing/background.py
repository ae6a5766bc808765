"""Estimate the background of an evenly lit thumbnail whose ink is dark.

The functions take uint8 [height, width], at most `image_filters.MAX_SIDE` pixels a side. Widths
are shares of its longer side, because neither digits nor stroke widths are known yet.
"""

import cv2
import numpy as np

from digits.preprocessing.array_types import ByteArray
from digits.preprocessing.image_filters import smooth_thumbnail, square_kernel
from digits.preprocessing.stroke_width import stroke_width
from digits.preprocessing.thresholds import estimate_thresholds, quantile

MAX_STROKE = 0.35  # of the longer side: a wider structure is a shadow or background
MAX_STROKE_WIDTHS = 4.0  # a structure of more typical stroke widths is no stroke
SOLID = 0.25  # of the way from ink to background: darker pixels are ink however wide the area is


def estimate_background(flat: ByteArray) -> ByteArray:
    """Return `flat` without ink: closed by the widest possible stroke, then by a fitting one."""
    smooth = smooth_thumbnail(flat)
    widest = int(MAX_STROKE * max(flat.shape)) | 1
    background = _fill_strokes(smooth, widest)
    width = stroke_width(_ink_mask(cv2.subtract(background, smooth)))
    size = 2 * int(MAX_STROKE_WIDTHS * width / 2 + 2) + 1
    return smooth_thumbnail(background if size >= widest else _fill_strokes(smooth, size))


def _fill_strokes(thumb: ByteArray, size: int) -> ByteArray:
    """Close `thumb` by a square of `size`, and fill areas of solid ink that are wider."""
    kernel = square_kernel(size)
    closed = cv2.morphologyEx(thumb, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REFLECT)
    ink = _ink_mask(cv2.subtract(closed, thumb))
    if not cv2.countNonZero(ink):
        return closed
    # along the border a stroke may seem too wide; but it is as dark as the others
    dark, white = quantile(thumb, 0.2, ink), quantile(closed, 0.9)
    darkest = (thumb < dark + SOLID * (white - dark)).view(np.uint8)
    core = cv2.erode(cv2.subtract(darkest, ink), square_kernel(3))
    if not cv2.countNonZero(core):
        return closed
    solid = cv2.dilate(core, square_kernel(5))  # opened by 3 pixels, and one more on each side
    if _max_width(solid) > MAX_STROKE * max(thumb.shape):
        return closed  # a shadow
    return np.maximum(closed, solid * np.uint8(white))


def _ink_mask(black_hat: ByteArray) -> ByteArray:
    """Return 1 where `black_hat` exceeds half of its typical value on ink, else 0."""
    half = max(estimate_thresholds(black_hat).foreground / 2, 1)
    return cv2.threshold(black_hat, half, 1, cv2.THRESH_BINARY)[1]


def _max_width(mask: ByteArray) -> float:
    """Return the width in pixels of the widest part of `mask`, mirrored at the border."""
    pad = max(mask.shape) // 2
    wide = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_REFLECT)
    return 2 * float(cv2.distanceTransform(wide, cv2.DIST_L2, 3).max())
