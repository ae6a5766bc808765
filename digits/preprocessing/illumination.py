"""TODO"""

import cv2
import numpy as np

from digits.preprocessing.array_types import ByteArray, FloatArray
from digits.preprocessing.thresholds import median

EVEN = 0.3  # of the deviations: light that explains less of them is none


def illumination(thumb: ByteArray) -> FloatArray:
    """How the light changes over the picture, with mean 0; all 0 where it seems even.

    A paraboloid through most pixels, whatever the ink and its polarity: least absolute
    deviations by reweighted least squares.
    """
    height, width = thumb.shape
    y = (np.arange(height, dtype=np.float32) * (2 / max(height - 1, 1)) - 1)[:, None]
    x = np.arange(width, dtype=np.float32) * (2 / max(width - 1, 1)) - 1
    step = max(1, max(thumb.shape) // 24)
    values = thumb[::step, ::step].astype(np.float32).ravel()
    points = _paraboloid(x[::step], y[::step])
    ridge = 1e-3 * np.eye(6, dtype=np.float32)
    weights: FloatArray = np.ones_like(values)
    for _ in range(8):
        weighted = points * weights
        normal = weighted @ points.T + ridge
        fit = cv2.solve(normal, (weighted @ values)[:, None])[1].ravel()
        off: FloatArray = np.abs(values - fit @ points)
        weights = np.reciprocal(np.maximum(off, 1))
    if median(off) > EVEN * median(np.abs(values - np.float32(median(values)))):
        return np.zeros(thumb.shape, np.float32)
    mean, across, down, bent, twisted, hollow = fit
    surface: FloatArray = (mean + y * (down + y * hollow)) + x * (across + x * bent + y * twisted)
    return surface - surface.mean()


def _paraboloid(x: FloatArray, y: FloatArray) -> FloatArray:
    """The six terms of a paraboloid, [6, points], of each x with each y, [n, 1]."""
    one = np.ones((len(y), len(x)), np.float32)
    return np.stack([one, x * one, y * one, x * x * one, x * y, y * y * one]).reshape(6, -1)
