"""Find connected components of the foreground, and helpers for their boxes.

Which components are lines, frames or shadows is decided in other modules.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from digits.preprocessing.arrays import BoolArray, ByteArray, IntArray
from digits.preprocessing.foreground import Foreground

WEAK = 0.3  # of the typical intensity: enough where it touches strong ink (hysteresis)
MAX_COMPONENTS = 100  # the largest are kept; more are noise
MIN_CONTRAST = 5.0  # of the noise, where there are too many components


@dataclass(frozen=True)
class ConnectedComponents:
    """The n connected components of an image's foreground.

    `intensity` uint8 [height, width] is the foreground's. `labels` int32 [height, width] is
    `ids`[i] on component i. `boxes` [n, 4]: left, top, right, bottom; `areas` [n] in pixels.
    """

    intensity: ByteArray
    labels: NDArray[np.int32]
    ids: IntArray
    boxes: IntArray
    areas: IntArray

    @property
    def sizes(self) -> IntArray:
        """Width and height of each component: [n, 2] pixels."""
        return self.boxes[:, 2:] - self.boxes[:, :2]

    @property
    def margins(self) -> IntArray:
        """Distances from the image's border: left, top, right, bottom; [n, 4] pixels."""
        return np.concatenate([self.boxes[:, :2], self.labels.shape[::-1] - self.boxes[:, 2:]], 1)

    @property
    def typical_height(self) -> float:
        """The median height in pixels, weighted by area; 0 for no components."""
        return weighted_median(self.sizes[:, 1], self.areas)

    def only(self, index: BoolArray | IntArray) -> "ConnectedComponents":
        """Select components by a mask or by indices."""
        ids, boxes, areas = self.ids[index], self.boxes[index], self.areas[index]
        return ConnectedComponents(self.intensity, self.labels, ids, boxes, areas)


def weighted_median(values: IntArray, weights: IntArray) -> float:
    """Return the value that half of the weight lies below; 0 for no values."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)]) if len(order) else 0.0


def find_components(foreground: Foreground) -> ConnectedComponents:
    """Find the components of strong ink, each with the weak ink that touches it."""
    low, high, noise = foreground.thresholds
    strong = foreground.thresholds.midpoint
    weak = min(low + max(WEAK * (high - low), 4 * noise), strong)
    mask = cv2.threshold(foreground.intensity, weak, 1, cv2.THRESH_BINARY)[1]
    left, top, width, height = cv2.boundingRect(mask)
    # label the bounding box alone: most images are mostly background
    inside = np.s_[top : top + max(height, 1), left : left + max(width, 1)]
    labels = np.zeros(mask.shape, np.int32)
    labels[inside], stats = cv2.connectedComponentsWithStats(mask[inside])[1:3]
    boxes, areas = stats.astype(np.int64)[:, :4], stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    boxes[:, :2] += [left, top]
    boxes[:, 2:] += boxes[:, :2]
    ids = np.flatnonzero(np.bincount(labels[inside][foreground.intensity[inside] > strong]))
    if len(ids) > MAX_COMPONENTS and high - low < MIN_CONTRAST * noise:
        ids = ids[:0]  # the texture of the background
    ids = ids[np.argsort(-areas[ids], kind="stable")[:MAX_COMPONENTS]]
    return ConnectedComponents(foreground.intensity, labels, ids, boxes[ids], areas[ids])


def crop(array: NDArray[Any], box: IntArray) -> NDArray[Any]:
    """Return the part of `array` [height, width] within `box`, as a view."""
    left, top, right, bottom = box
    return array[top:bottom, left:right]
