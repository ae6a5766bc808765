"""Array types, and the small image operations that several steps share."""

import functools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

ByteArray = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
MAX_SIDE = 128  # pixels of a thumbnail


def downscale(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Average `image` [height, width], uint8 or float32, over areas to `size`, width first.

    The image is halved while that leaves enough, because OpenCV has a fast path for averages
    of two by two pixels. Halving drops the last row or column of an odd number.
    """
    width, height = size
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        even = image[: len(image) & ~1, : image.shape[1] & ~1]
        half = (even.shape[1] // 2, even.shape[0] // 2)
        image = cv2.resize(even, half, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def make_thumbnail(gray: ByteArray) -> ByteArray:
    """Average `gray` over squares of whole pixels, so that no side exceeds MAX_SIDE."""
    factor = -(-max(gray.shape) // MAX_SIDE)
    if factor == 1:
        return gray
    height, width = (max(1, side // factor) for side in gray.shape)
    return downscale(gray[: height * factor, : width * factor], (width, height))


def smooth_thumbnail(thumb: ByteArray) -> ByteArray:
    """Apply a small Gaussian filter, unless `thumb` has at most 40 pixels a side."""
    return cv2.GaussianBlur(thumb, (3, 3), 0) if max(thumb.shape) > 40 else thumb


@functools.cache
def square_kernel(size: int) -> ByteArray:
    """Return a structuring element for OpenCV's morphology: `size` x `size` ones."""
    return np.ones((size, size), np.uint8)
