"""Any picture of handwritten digits -> what the network was trained on.

Does what the makers of MNIST did: the digit's box scaled into 20 x 20 pixels keeping its
proportions, with anti-aliasing, centred by mass in 28 x 28, light on dark.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.lib import segment
from stages.lib.decode import Scan
from stages.lib.ink import Ink, extract
from stages.lib.levels import Bytes, Floats, Ints, Mask
from stages.lib.normalise import BOX, SIDE, normal
from stages.lib.shrink import shrunk
from stages.lib.strokes import Strokes, pieces

DETAIL = 100  # pixels: a digit's strokes are told from shadows at this size
WIDE = 0.45  # narrower strokes than this are no shadow
CUT = 0.3  # the same, where the picture's edge cuts the piece off, as it does shadows
WIDEST = 0.55  # of the thickest pens' strokes
SOLID = 0.8  # of the hull around it: a shadow is without the hollows of a digit
SOFT = 0.04  # from ink to paper: shadows' edges are softer than those of strokes
FOLD = 0.25  # widths per length: a fold of the paper is straight
FAINT = 80  # of 255, of the light: folds are fainter, and most pens are darker


@dataclass(frozen=True)
class Found:
    """The digits of a picture in reading order; n may be 0, an empty page.

    `boxes` int [n, 4]: left, top, right, bottom in pixels of the upright picture.
    `rows` int [n]: the line of text that each belongs to, from 0.
    `pictures` uint8 [n, 28, 28]: what the network sees, 0 the background.
    """

    boxes: Ints
    rows: Ints
    pictures: Bytes


def find(scan: Scan, several: bool | None = None) -> Found:
    """The digits of `scan`.

    `several`: True as many as there are, False exactly one, None found automatically.
    """
    ready = _ready(scan.pixels)
    if ready is not None:
        return ready
    cv2.setNumThreads(1)  # each step takes less than waking a second thread on a busy machine
    ink = extract(scan.pixels)
    strokes = pieces(ink)
    digits = segment.one(strokes) if several is False else segment.many(strokes)
    boxes = np.array([segment.hull(strokes.boxes[members]) for members in digits], np.int64)
    boxes = boxes.reshape(-1, 4)
    looks = [_look(ink, strokes, *digit) for digit in zip(digits, boxes, strict=True)]
    real = [i for i, look in enumerate(looks) if _drawn(*look, boxes[i], ink)]
    pictures = np.array([normal(*looks[i]) for i in real], np.uint8).reshape(-1, SIDE, SIDE)
    visible = pictures.any((1, 2))
    boxes, pictures = boxes[real][visible], pictures[visible]
    row = segment.rows(boxes)
    order = np.lexsort([boxes[:, 0], row])
    scale = scan.size[0] / scan.pixels.shape[1]
    return Found(np.rint(boxes[order] * scale).astype(np.int64), row[order], pictures[order])


def _look(ink: Ink, strokes: Strokes, members: Ints, box: Ints) -> tuple[Floats, Mask]:
    """The share of ink, 0..1, within `box`, without other pieces; and where `members` are."""
    left, top, right, bottom = box
    inside = np.s_[top:bottom, left:right]
    labels = strokes.labels[inside]
    sure = np.logical_or.reduce([labels == i for i in strokes.ids[members]])
    amount = strokes.amount[inside] * (sure | (labels == 0))
    paper, level, _ = ink.levels
    shares = ((np.arange(256, dtype=np.float32) - paper) / (level - paper)).clip(0, 1)
    return cv2.LUT(amount, shares), sure


def _drawn(share: Floats, sure: Mask, box: Ints, ink: Ink) -> bool:
    """Whether a pen drew the piece within `box` that has the `share` of ink where it is `sure`.

    Else it is a shadow, a fold of the paper or noise. Sizes are shares of its longer side.
    """
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


def _ready(pixels: Bytes) -> Found | None:
    """A picture that already is as MNIST's makers left theirs, as it is; else None."""
    grey = pixels[..., 0]
    if grey.shape != (SIDE, SIDE) or np.ptp(pixels, axis=2).any():
        return None
    if grey[0, 0] > 127:
        grey = 255 - grey
    left, top, width, height = cv2.boundingRect(grey)
    if max(width, height) != BOX:
        return None
    mass = cv2.moments(grey)
    if any(abs(mass[name] / mass["m00"] - SIDE / 2) > 0.6 for name in ("m10", "m01")):
        return None
    box = np.array([[left, top, left + width, top + height]])
    return Found(box, np.zeros(1, np.int64), grey[None].copy())
