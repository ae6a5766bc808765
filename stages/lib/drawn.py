"""Whether a piece of ink was drawn with a pen, or is a shadow, a fold of the paper or noise.

Sizes are shares of the piece's longer side, which is looked at in DETAIL pixels.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.lib.ink import Ink
from stages.lib.shrink import shrunk
from stages.lib.strokes import Ints

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

DETAIL = 100  # pixels: a digit's strokes are told from shadows at this size
WIDE = 0.45  # narrower strokes than this are no shadow
CUT = 0.3  # the same, where the picture's edge cuts the piece off, as it does shadows
WIDEST = 0.55  # of the thickest pens' strokes
SOLID = 0.8  # of the hull around it: a shadow is without the hollows of a digit
SOFT = 0.04  # from ink to paper: shadows' edges are softer than those of strokes
FOLD = 0.25  # widths per length: a fold of the paper is straight
FAINT = 80  # of 255, of the light: folds are fainter, and most pens are darker


def drawn(share: Floats, sure: Mask, box: Ints, ink: Ink) -> bool:
    """Whether a pen drew the piece within `box` that has the `share` of ink where it is `sure`."""
    height, width = ink.amount.shape
    margins = np.array([box[0], box[1], width - box[2], height - box[3]])
    scale = min(1, max(DETAIL / max(share.shape), 1 / min(share.shape)))  # a pixel is left
    size = (round(share.shape[1] * scale), round(share.shape[0] * scale))
    small = shrunk(share * sure, size)
    solid = cv2.copyMakeBorder((small > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    if not solid.any() or _softness(small, solid) > SOFT * DETAIL:
        return False
    if (margins == 0).sum() > 1 and _straight(solid) and _faint(sure, box, ink):
        return False
    return not _shadow(solid, bool((margins == 0).any()))


def _softness(small: Floats, solid: Bytes) -> float:
    """The pixels that are neither ink nor paper, per pixel of the outline."""
    inner = cv2.erode(solid, np.ones((3, 3), np.uint8))
    between = np.count_nonzero((small > 0.2) & (small < 0.8))
    return between / (cv2.countNonZero(solid) - cv2.countNonZero(inner))


def _straight(solid: Bytes) -> bool:
    sides = cv2.minAreaRect(cv2.findNonZero(solid))[1]
    return bool(min(sides) < FOLD * max(sides))


def _faint(sure: Mask, box: Ints, ink: Ink) -> bool:
    left, top, right, bottom = box
    return float(ink.amount[top:bottom, left:right][sure].mean()) < FAINT


def _shadow(solid: Bytes, outside: bool) -> bool:
    """Whether it is wide for its size; `outside`: the picture's edge cuts it off."""
    size = max(solid.shape) - 2
    widest = 2 * cv2.distanceTransform(solid, cv2.DIST_L2, 5).max() / size
    if widest < (CUT if outside else WIDE):
        return False
    hull = cv2.contourArea(cv2.convexHull(cv2.findNonZero(solid)))
    return bool(widest > WIDEST or solid.sum() > SOLID * hull)
