"""Estimate uneven illumination of a thumbnail, and the background under dark ink.

The functions take uint8 [height, width], at most `arrays.MAX_SIDE` pixels a side. Widths
are shares of its longer side, because neither digits nor stroke widths are known yet.
"""

import cv2
import numpy as np

from digits.preprocessing.arrays import ByteArray, FloatArray, smooth_thumbnail, square_kernel
from digits.preprocessing.stroke_width import stroke_width
from digits.preprocessing.thresholds import estimate_thresholds, median, quantile

MAX_RESIDUAL = 0.3  # of the deviations from the median; a worse fit counts as even light
MAX_STROKE = 0.35  # of the longer side: a wider structure is a shadow or background
MAX_STROKE_WIDTHS = 4.0  # a structure of more typical stroke widths is no stroke
SOLID = 0.25  # of the way from ink to background: darker pixels are ink however wide the area is


def estimate_illumination(thumb: ByteArray) -> FloatArray:
    """Return the illumination as float32 [height, width] of mean 0; all 0 where it seems even.

    A paraboloid is fitted to the pixels, whatever the ink's polarity, by least absolute
    deviations (iteratively reweighted least squares). Shadows with an edge are left to
    `estimate_background`.
    """
    height, width = thumb.shape
    y = (np.arange(height, dtype=np.float32) * (2 / max(height - 1, 1)) - 1)[:, None]
    x = np.arange(width, dtype=np.float32) * (2 / max(width - 1, 1)) - 1
    step = max(1, max(thumb.shape) // 24)
    values = thumb[::step, ::step].astype(np.float32).ravel()
    points = _paraboloid_terms(x[::step], y[::step])
    ridge = 1e-3 * np.eye(6, dtype=np.float32)
    weights: FloatArray = np.ones_like(values)
    for _ in range(8):
        weighted = points * weights
        normal = weighted @ points.T + ridge
        fit = cv2.solve(normal, (weighted @ values)[:, None])[1].ravel()
        residuals: FloatArray = np.abs(values - fit @ points)
        weights = np.reciprocal(np.maximum(residuals, 1))
    if median(residuals) > MAX_RESIDUAL * median(np.abs(values - np.float32(median(values)))):
        return np.zeros(thumb.shape, np.float32)
    constant, cx, cy, cxx, cxy, cyy = fit
    surface: FloatArray = (constant + y * (cy + y * cyy)) + x * (cx + x * cxx + y * cxy)
    return surface - surface.mean()


def _paraboloid_terms(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the six terms of a paraboloid, [6, points], of each x with each y, [n, 1]."""
    ones = np.ones((len(y), len(x)), np.float32)
    return np.stack([ones, x * ones, y * ones, x * x * ones, x * y, y * y * ones]).reshape(6, -1)


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
