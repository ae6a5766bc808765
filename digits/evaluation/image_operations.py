"""TODO"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

ByteImages = NDArray[np.uint8]
FloatImages = NDArray[np.floating]
IntImages = NDArray[np.integer]


def neighbors(pictures: FloatImages, down: IntImages, right: IntImages) -> FloatImages:
    """What each pixel sees `down` and `right` of itself, no further than the border."""
    count, side = len(pictures), pictures.shape[-1]
    rows, columns = np.indices((side, side))
    y, x = np.clip(rows + down, 0, side - 1), np.clip(columns + right, 0, side - 1)
    return pictures[np.arange(count)[:, None, None], y, x]


def sobel(pictures: FloatImages, axis: int, other: int) -> FloatImages:
    """The derivative along `axis`, per pixel, after Sobel: smoothed along `other`."""
    smooth = ndimage.correlate1d(pictures, [0.25, 0.5, 0.25], other, mode="nearest")
    return ndimage.correlate1d(smooth, [-0.5, 0.0, 0.5], axis, mode="nearest")


def random_line(
    images: ByteImages, generator: np.random.Generator
) -> tuple[FloatImages, FloatImages]:
    """How far each pixel is along and across a random line near the middle, in pixels."""
    side = images.shape[-1]
    chance = generator.random((len(images), 3, 1, 1), dtype=np.float32)
    angle, offset = chance[:, 0] * np.float32(2 * math.pi), (chance[:, 1] - 0.5) * side / 4
    y, x = np.indices((side, side), np.float32) - np.float32((side - 1) / 2)
    along = x * np.cos(angle) + y * np.sin(angle) + chance[:, 2] * side
    return along, y * np.cos(angle) - x * np.sin(angle) + offset


def draw_white(images: ByteImages, distance: FloatImages) -> ByteImages:
    """`images` under white ink whose edge is `distance` pixels away, negative inside."""
    return np.maximum(images, to_uint8(0.5 - distance))


def random_inverse(matrix: FloatImages, count: int, generator: np.random.Generator) -> FloatImages:
    """`count` times `matrix` or, with equal chance, its inverse."""
    return np.stack([matrix, np.linalg.inv(matrix)])[generator.integers(2, size=count)]


def warp(images: ByteImages, matrices: FloatImages) -> ByteImages:
    """Each picture through its matrix (2, 2), y first, about the middle.

    A matrix tells where a pixel is read from; outside the picture is background.
    """
    middle = (np.array(images.shape[1:]) - 1) / 2
    result = np.empty_like(images)
    for picture, matrix, target in zip(images, matrices, result, strict=True):
        start = middle - matrix @ middle
        ndimage.affine_transform(picture, matrix, start, output=target, order=1)
    return result


def blur(pictures: FloatImages, sigma: float, mode: str = "constant") -> FloatImages:
    """Each picture through a Gaussian of `sigma` pixels."""
    return ndimage.gaussian_filter(pictures, sigma, mode=mode, axes=(1, 2))


def to_unit_range(images: ByteImages) -> FloatImages:
    """Bytes as shares of white."""
    return images / np.float32(255)


def to_uint8(shares: FloatImages) -> ByteImages:
    """Shares of white as bytes, cut off below black and above white."""
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
