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
from stages.lib.ink import Ink, extract
from stages.lib.normalise import SIDE, normal
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
    cv2.setNumThreads(1)  # each step takes less than waking a second thread on a busy machine
    ink = extract(scan.pixels)
    strokes = pieces(ink)
    digits = segment.one(strokes) if several is False else segment.many(strokes)
    boxes = np.array([segment.hull(strokes.boxes[members]) for members in digits], np.int64)
    boxes = boxes.reshape(-1, 4)
    row = segment.rows(boxes)
    order = np.lexsort([boxes[:, 0], row])
    pictures = [normal(_share(ink, strokes, digits[i], boxes[i])) for i in order]
    scale = scan.size[0] / scan.pixels.shape[1]
    return Found(
        np.rint(boxes[order] * scale).astype(np.int64),
        row[order],
        np.array(pictures, np.uint8).reshape(-1, SIDE, SIDE),
    )


def _share(ink: Ink, strokes: Strokes, members: Ints, box: Ints) -> NDArray[np.float32]:
    """The share of ink, 0..1, of some pieces within `box`."""
    left, top, right, bottom = box
    inside = np.s_[top:bottom, left:right]
    amount = np.where(np.isin(strokes.labels[inside], strokes.ids[members]), ink.amount[inside], 0)
    paper, level, _ = ink.levels
    return ((amount.astype(np.float32) - paper) / (level - paper)).clip(0, 1)
