"""TODO"""

import cv2
import numpy as np

from digits.preprocessing.array_types import ByteArray
from digits.preprocessing.thresholds import median


def stroke_width(mask: ByteArray) -> float:
    """The typical width of the strokes of `mask`, 0 or 1, in pixels; 1 where there are none.

    The median along their middle lines: parts that are wider or narrower do not count.
    """
    inner = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    ridge = inner[(inner >= cv2.dilate(inner, np.ones((3, 3), np.uint8))) & (inner > 0)]
    return 2 * median(ridge) if len(ridge) else 1.0


def mean_stroke_width(mask: ByteArray) -> float:
    """The mean width of the strokes of `mask`, 0 or 1, in pixels: from area and outline.

    Of blots, specks and joined lines there is no middle line to go by: `pen` in its place
    changed the digits of 24 of 158 photographs.
    """
    area = cv2.countNonZero(mask)
    inner = cv2.countNonZero(cv2.erode(mask, np.ones((3, 3), np.uint8)))
    return 2 * area / max(area - inner, 1)
