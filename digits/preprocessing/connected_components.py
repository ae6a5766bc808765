"""Ink -> connected pieces of ink that may belong to digits.

Frames, ruled lines, table edges and what the picture's edge cuts off are no such pieces.
Sizes are shares of the typical height of the pieces: nothing else is known of the pen, the
paper or the camera.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from digits.preprocessing.array_types import BoolArray, ByteArray, IntArray
from digits.preprocessing.foreground import Foreground

FAINT = 0.3  # of the ink's typical amount: enough where it joins clear ink
MAX_COMPONENTS = 100  # pieces; more are noise, and the largest are kept
CLEAR = 5.0  # of the noise: ink differs more from the paper


@dataclass(frozen=True)
class ConnectedComponents:
    """The connected pieces of ink of a picture.

    `amount` uint8 [height, width]: of ink. `labels` int32 [height, width]: `ids`[i] where
    piece i is. `boxes` [n, 4]: left, top, right, bottom; `areas` [n] in pixels.
    """

    amount: ByteArray
    labels: NDArray[np.int32]
    ids: IntArray
    boxes: IntArray
    areas: IntArray

    def only(self, kept: BoolArray | IntArray) -> "ConnectedComponents":
        """These pieces alone."""
        return ConnectedComponents(
            self.amount, self.labels, self.ids[kept], self.boxes[kept], self.areas[kept]
        )


def typical_height(strokes: ConnectedComponents) -> float:
    """The height of most ink in pixels: the pieces' median, weighted by area; 0 for none."""
    return weighted_median(strokes.boxes[:, 3] - strokes.boxes[:, 1], strokes.areas)


def weighted_median(values: IntArray, weights: IntArray) -> float:
    """The value that half of the weight lies below; 0 for none."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)]) if len(order) else 0.0


def find_components(ink: Foreground) -> ConnectedComponents:
    """All components of clear ink, with the faint ink that touches it."""
    paper, level, noise = ink.thresholds
    clear = ink.thresholds.half
    faint = paper + max(FAINT * (level - paper), 4 * noise)
    mask = cv2.threshold(ink.amount, min(faint, clear), 1, cv2.THRESH_BINARY)[1]
    left, top, width, height = cv2.boundingRect(mask)
    # most pictures are mostly paper
    inside = np.s_[top : top + max(height, 1), left : left + max(width, 1)]
    labels = np.zeros(mask.shape, np.int32)
    labels[inside], stats = cv2.connectedComponentsWithStats(mask[inside])[1:3]
    boxes, areas = stats.astype(np.int64)[:, :4], stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    boxes[:, :2] += [left, top]
    boxes[:, 2:] += boxes[:, :2]
    ids = np.flatnonzero(np.bincount(labels[inside][ink.amount[inside] > clear]))
    if len(ids) > MAX_COMPONENTS and level - paper < CLEAR * noise:
        ids = ids[:0]  # the paper's texture
    ids = ids[np.argsort(-areas[ids], kind="stable")[:MAX_COMPONENTS]]
    return ConnectedComponents(ink.amount, labels, ids, boxes[ids], areas[ids])


def box_sizes(boxes: IntArray) -> IntArray:
    """Width and height of each of `boxes` [n, 4]: [n, 2] pixels."""
    return boxes[:, 2:] - boxes[:, :2]
