"""Any picture of handwritten digits -> what the network was trained on.

Does what the makers of MNIST did: the digit's box scaled into 20 x 20 pixels keeping its
proportions, with anti-aliasing, centred by mass in 28 x 28, light on dark.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.lib import segment
from stages.lib.decode import MAX_PIXELS, Scan, decode
from stages.lib.drawn import drawn
from stages.lib.ink import Ink, extract
from stages.lib.normalise import BOX, SIDE, normal
from stages.lib.strokes import Ints, Strokes, pieces

__all__ = ["MAX_PIXELS", "Found", "Scan", "decode", "find"]


@dataclass(frozen=True)
class Found:
    """The digits of a picture in reading order; n may be 0, an empty page.

    `boxes` int [n, 4]: left, top, right, bottom in pixels of the upright picture.
    `rows` int [n]: the line of text that each belongs to, from 0.
    `pictures` uint8 [n, 28, 28]: what the network sees, 0 the background.
    """

    boxes: NDArray[np.int64]
    rows: NDArray[np.int64]
    pictures: NDArray[np.uint8]


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
    real = [i for i, look in enumerate(looks) if drawn(*look, boxes[i], ink)]
    pictures = np.array([normal(*looks[i]) for i in real], np.uint8).reshape(-1, SIDE, SIDE)
    visible = pictures.any((1, 2))
    boxes, pictures = boxes[real][visible], pictures[visible]
    row = segment.rows(boxes)
    order = np.lexsort([boxes[:, 0], row])
    scale = scan.size[0] / scan.pixels.shape[1]
    return Found(
        np.rint(boxes[order] * scale).astype(np.int64),
        row[order],
        pictures[order],
    )


def _look(
    ink: Ink, strokes: Strokes, members: Ints, box: Ints
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The share of ink, 0..1, within `box`, without other pieces; and where `members` are."""
    left, top, right, bottom = box
    inside = np.s_[top:bottom, left:right]
    labels = strokes.labels[inside]
    sure = np.logical_or.reduce([labels == i for i in strokes.ids[members]])
    amount = strokes.amount[inside] * (sure | (labels == 0))
    paper, level, _ = ink.levels
    shares = ((np.arange(256, dtype=np.float32) - paper) / (level - paper)).clip(0, 1)
    return cv2.LUT(amount, shares), sure


def _ready(pixels: NDArray[np.uint8]) -> Found | None:
    """A picture that already is as MNIST's makers left theirs, as it is; else None."""
    grey = pixels[..., 0]
    if grey.shape != (SIDE, SIDE) or np.ptp(pixels, axis=2).any():
        return None
    if grey[0, 0] > 127:
        grey = 255 - grey
    rows, columns = np.nonzero(grey.any(1))[0], np.nonzero(grey.any(0))[0]
    if not len(rows):
        return None
    box = np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]])
    mass = grey.sum(dtype=np.float64)
    centre = np.array(
        [grey.sum(axis, dtype=np.float64) @ np.arange(SIDE) / mass for axis in (0, 1)]
    )
    if (box[:, 2:] - box[:, :2]).max() != BOX or np.abs(centre - SIDE / 2).max() > 0.6:
        return None
    return Found(box, np.zeros(1, np.int64), grey[None].copy())
