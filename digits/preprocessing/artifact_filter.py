"""TODO"""

import cv2
import numpy as np

from digits.preprocessing.array_types import BoolArray, ByteArray, FloatArray, IntArray
from digits.preprocessing.downscaling import downscale
from digits.preprocessing.foreground import Foreground

DETAIL = 100  # pixels: a digit's strokes are told from shadows at this size
WIDE = 0.45  # narrower strokes than this are no shadow
CUT = 0.3  # the same, where the picture's edge cuts the piece off, as it does shadows
WIDEST = 0.55  # of the thickest pens' strokes
SOLID = 0.8  # of the hull around it: a shadow is without the hollows of a digit
SOFT = 0.04  # from ink to paper: shadows' edges are softer than those of strokes
FOLD = 0.25  # widths per length: a fold of the paper is straight
FAINT = 80  # of 255, of the light: folds are fainter, and most pens are darker


def is_glyph(share: FloatArray, sure: BoolArray, box: IntArray, ink: Foreground) -> bool:
    """Whether a pen drew the piece within `box` that has the `share` of ink where it is `sure`.

    Else it is a shadow, a fold of the paper or noise. Sizes are shares of its longer side.
    """
    height, width = ink.amount.shape
    margins = np.array([box[0], box[1], width - box[2], height - box[3]])
    scale = min(1, max(DETAIL / max(share.shape), 1 / min(share.shape)))  # a pixel is left
    size = (round(share.shape[1] * scale), round(share.shape[0] * scale))
    small = downscale(share * sure, size)
    solid = cv2.copyMakeBorder((small > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    if not solid.any() or _edge_softness(small, solid) > SOFT * DETAIL:
        return False
    if (margins == 0).sum() > 1 and _is_straight(solid) and _is_faint(sure, box, ink):
        return False
    return not _is_shadow(solid, bool((margins == 0).any()))


def _edge_softness(small: FloatArray, solid: ByteArray) -> float:
    """The pixels that are neither ink nor paper, per pixel of the outline."""
    inner = cv2.erode(solid, np.ones((3, 3), np.uint8))
    between = np.count_nonzero((small > 0.2) & (small < 0.8))
    return between / (cv2.countNonZero(solid) - cv2.countNonZero(inner))


def _is_straight(solid: ByteArray) -> bool:
    sides = cv2.minAreaRect(cv2.findNonZero(solid))[1]
    return bool(min(sides) < FOLD * max(sides))


def _is_faint(sure: BoolArray, box: IntArray, ink: Foreground) -> bool:
    left, top, right, bottom = box
    return float(ink.amount[top:bottom, left:right][sure].mean()) < FAINT


def _is_shadow(solid: ByteArray, outside: bool) -> bool:
    """Whether it is wide for its size; `outside`: the picture's edge cuts it off."""
    size = max(solid.shape) - 2
    widest = 2 * cv2.distanceTransform(solid, cv2.DIST_L2, 5).max() / size
    if widest < (CUT if outside else WIDE):
        return False
    hull = cv2.contourArea(cv2.convexHull(cv2.findNonZero(solid)))
    return bool(widest > WIDEST or solid.sum() > SOLID * hull)
