"""Operations on stacks of images that several corruptions share: filters, warps, lines.

Which corruption uses which operation, and how strongly, is in `corruptions`.
"""

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

ByteImages = NDArray[np.uint8]
FloatImages = NDArray[np.floating]
IntImages = NDArray[np.integer]


def to_unit_range(images: ByteImages) -> FloatImages:
    """Convert bytes to shares of white, 0 to 1."""
    return images / np.float32(255)


def to_uint8(shares: FloatImages) -> ByteImages:
    """Convert shares of white to bytes; below black becomes black, above white white."""
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)


def blur(images: FloatImages, sigma: float, mode: str = "constant") -> FloatImages:
    """Smooth each image by a Gaussian of `sigma` pixels."""
    return ndimage.gaussian_filter(images, sigma, mode=mode, axes=(1, 2))


def sobel(images: FloatImages, axis: int, other: int) -> FloatImages:
    """Return the derivative along `axis`, per pixel, after Sobel: smoothed along `other`."""
    smooth = ndimage.correlate1d(images, [0.25, 0.5, 0.25], other, mode="nearest")
    return ndimage.correlate1d(smooth, [-0.5, 0.0, 0.5], axis, mode="nearest")


def neighbors(images: FloatImages, down: IntImages, right: IntImages) -> FloatImages:
    """Read each pixel `down` and `right` of its position, no further than the border."""
    count, side = len(images), images.shape[-1]
    rows, columns = np.indices((side, side))
    y, x = np.clip(rows + down, 0, side - 1), np.clip(columns + right, 0, side - 1)
    return images[np.arange(count)[:, None, None], y, x]


def warp(images: ByteImages, matrices: FloatImages) -> ByteImages:
    """Transform each image by its matrix (2, 2), y first, about the center.

    A matrix maps a pixel to the position that it is read from; outside is background.
    """
    center = (np.array(images.shape[1:]) - 1) / 2
    result = np.empty_like(images)
    for image, matrix, target in zip(images, matrices, result, strict=True):
        start = center - matrix @ center
        ndimage.affine_transform(image, matrix, start, output=target, order=1)
    return result


def warp_randomly(images: ByteImages, matrix: FloatImages, rng: Generator) -> ByteImages:
    """Transform each image by `matrix` or, with equal chance, by its inverse."""
    both = np.stack([matrix, np.linalg.inv(matrix)])
    return warp(images, both[rng.integers(2, size=len(images))])


def random_line(images: ByteImages, rng: Generator) -> tuple[FloatImages, FloatImages]:
    """Return each pixel's position along, and distance from, a random line near the center.

    Both are in pixels; each image has a line of its own.
    """
    side = images.shape[-1]
    chance = rng.random((len(images), 3, 1, 1), dtype=np.float32)
    angle, offset = chance[:, 0] * np.float32(2 * math.pi), (chance[:, 1] - 0.5) * side / 4
    y, x = np.indices((side, side), np.float32) - np.float32((side - 1) / 2)
    along = x * np.cos(angle) + y * np.sin(angle) + chance[:, 2] * side
    return along, y * np.cos(angle) - x * np.sin(angle) + offset


def draw_white(images: ByteImages, distance: FloatImages) -> ByteImages:
    """Draw white over `images` wherever `distance` to its edge, in pixels, is negative."""
    return np.maximum(images, to_uint8(0.5 - distance))
