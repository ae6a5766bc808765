"""Measure the stroke width of a binary mask, by its ridges or by its area and outline."""

import cv2

from digits.preprocessing.arrays import ByteArray, square_kernel
from digits.preprocessing.thresholds import median


def stroke_width(mask: ByteArray) -> float:
    """Return the typical stroke width of `mask`, 0 or 1, in pixels; 1 where there are no strokes.

    It is the median along the medial axis: wider and narrower parts do not count.
    """
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    ridge = distance[(distance >= cv2.dilate(distance, square_kernel(3))) & (distance > 0)]
    return 2 * median(ridge) if len(ridge) else 1.0


def mean_stroke_width(mask: ByteArray) -> float:
    """Return the mean stroke width of `mask`, 0 or 1, in pixels: twice area per outline.

    For blots, specks and joined lines, whose medial axis is no guide to their width.
    """
    area = cv2.countNonZero(mask)
    inner = cv2.countNonZero(cv2.erode(mask, square_kernel(3)))
    return 2 * area / max(area - inner, 1)
