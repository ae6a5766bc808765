"""Estimate uneven illumination of a thumbnail, such as the fall-off of a lamp.

Shadows with an edge are not modelled here; `background` follows them.
"""

import cv2
import numpy as np

from digits.preprocessing.array_types import ByteArray, FloatArray
from digits.preprocessing.thresholds import median

MAX_RESIDUAL = 0.3  # of the deviations from the median; a worse fit counts as even light


def estimate_illumination(thumb: ByteArray) -> FloatArray:
    """Return the illumination as float32 [height, width] of mean 0; all 0 where it seems even.

    A paraboloid is fitted to the pixels, whatever the ink's polarity, by least absolute
    deviations (iteratively reweighted least squares).
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
