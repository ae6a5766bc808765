"""TODO"""

import functools

import cv2
import numpy as np

from digits.preprocessing.array_types import ByteArray
from digits.preprocessing.downscaling import downscale

MAX_SIDE = 128  # pixels


def make_thumbnail(grey: ByteArray) -> ByteArray:
    """`grey` averaged over whole pixels, so that no side exceeds THUMB."""
    factor = -(-max(grey.shape) // MAX_SIDE)
    if factor == 1:
        return grey
    height, width = (max(1, side // factor) for side in grey.shape)
    whole = grey[: height * factor, : width * factor]
    return downscale(whole, (width, height))


def smoothed(thumb: ByteArray) -> ByteArray:
    """`thumb` through a small Gaussian; one of at most 40 pixels a side as it is."""
    return cv2.GaussianBlur(thumb, (3, 3), 0) if max(thumb.shape) > 40 else thumb


@functools.cache
def square_kernel(size: int) -> ByteArray:
    """A square of ones for OpenCV's morphology."""
    return np.ones((size, size), np.uint8)
