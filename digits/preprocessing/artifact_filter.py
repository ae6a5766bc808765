"""Tell digits from artifacts: shadows, folds of the paper and noise.

One digit's crop is judged by its shape and the softness of its edges. Frames, printed lines and
components cut off by the border have been removed before.
"""

import cv2
import numpy as np

from digits.preprocessing.arrays import BoolArray, ByteArray, FloatArray, IntArray, downscale
from digits.preprocessing.connected_components import crop
from digits.preprocessing.foreground import Foreground

JUDGED_SIDE = 100  # pixels: crops are judged at this size
# Stroke widths as shares of the longer side:
SHADOW_WIDTH = 0.45  # a shadow is wider
CUT_SHADOW_WIDTH = 0.3  # the same where the image's border cuts the crop off
MAX_STROKE_WIDTH = 0.55  # of the thickest strokes
SOLIDITY = 0.8  # of the convex hull: a shadow fills more, because digits have hollows
MAX_EDGE_WIDTH = 0.04  # of the longer side, from ink to background: shadows have softer edges
FOLD_WIDTH = 0.25  # width per length: a fold of the paper is narrower
FOLD_INTENSITY = 80  # of 255: folds are fainter, and most ink is darker


def is_glyph(coverage: FloatArray, mask: BoolArray, box: IntArray, foreground: Foreground) -> bool:
    """Return whether a crop is a written digit, and no shadow, fold of the paper or noise.

    `coverage` [height, width] is the ink within `box`, 0..1, `mask` where the digit's
    components are.
    """
    at_border = np.count_nonzero(box == [0, 0, *foreground.intensity.shape[::-1]])
    scale = min(1, max(JUDGED_SIDE / max(mask.shape), 1 / min(mask.shape)))  # at least a pixel
    size = (round(mask.shape[1] * scale), round(mask.shape[0] * scale))
    small = downscale(coverage * mask, size)
    solid = cv2.copyMakeBorder((small > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    if not solid.any() or _edge_width(small, solid) > MAX_EDGE_WIDTH * JUDGED_SIDE:
        return False
    if at_border > 1 and _is_fold(solid, crop(foreground.intensity, box)[mask]):
        return False
    return not _is_shadow(solid, CUT_SHADOW_WIDTH if at_border else SHADOW_WIDTH)


def _edge_width(small: FloatArray, solid: ByteArray) -> float:
    """Return the pixels between ink and background, per pixel of the outline."""
    inner = cv2.erode(solid, np.ones((3, 3), np.uint8))
    between = np.count_nonzero((small > 0.2) & (small < 0.8))
    return between / (cv2.countNonZero(solid) - cv2.countNonZero(inner))


def _is_fold(solid: ByteArray, intensity: ByteArray) -> bool:
    """Return whether `solid` is narrow and the `intensity` of its pixels is faint."""
    sides = cv2.minAreaRect(cv2.findNonZero(solid))[1]
    return bool(min(sides) < FOLD_WIDTH * max(sides) and intensity.mean() < FOLD_INTENSITY)


def _is_shadow(solid: ByteArray, min_width: float) -> bool:
    """Return whether `solid` is wider than `min_width` of its size, and compact."""
    size = max(solid.shape) - 2
    widest = 2 * cv2.distanceTransform(solid, cv2.DIST_L2, 5).max() / size
    if widest < min_width:
        return False
    hull = cv2.contourArea(cv2.convexHull(cv2.findNonZero(solid)))
    return bool(widest > MAX_STROKE_WIDTH or solid.sum() > SOLIDITY * hull)
