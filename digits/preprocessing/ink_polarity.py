"""Decide whether ink is darker or lighter than its background.

Works on a thumbnail whose uneven illumination was subtracted. The ink is not located yet.
"""

import math

import cv2
import numpy as np

from digits.preprocessing.arrays import BoolArray, ByteArray, smooth_thumbnail, square_kernel

SCALES = (0.06, 0.13, 0.19, 0.4)  # of the longer side: kernel sizes that are compared
NARROW = 0.4  # width per height: a narrower image is a cropped one
MIN_BORDER_AGREEMENT = 0.9  # below this, the border says nothing about the background
INSETS = (0.0, 0.03, 0.06, 0.09, 0.12, 0.15)  # of the shorter side: depths of a possible frame


def has_dark_ink(flat: ByteArray) -> bool:
    """Return whether the ink of the evenly lit thumbnail `flat` is darker than its background.

    Ink is thin: the energies of black-hat and top-hat are compared at several kernel sizes. The
    background is smooth once the ink is filled in, and it is what lies along the image's
    border, if that is uniform. The edge of a shadow counts on neither side, because closing and
    opening leave it. In a narrow image a 1 may fill the height, so its columns are compared.
    """
    smooth = smooth_thumbnail(flat)
    height, width = flat.shape
    if width < NARROW * height:
        third = width // 3
        return bool(smooth[:, third : width - third].mean() < smooth[:, [0, -1]].mean())
    sizes = [max(3, int(scale * max(height, width)) | 1) for scale in SCALES]
    closings = _morphology_series(smooth, sizes, closing=True)
    openings = _morphology_series(smooth, sizes, closing=False)
    dark, light = _energies(closings, smooth), _energies(openings, smooth)
    # the sooner a small kernel removes all that the largest does, the thinner are the structures
    strength = sum(dark) / sum(light)
    thinness = strength * light[-1] / dark[-1]
    roughness = _total_variation(openings) / _total_variation(closings)
    threshold = cv2.threshold(smooth, 0, 255, cv2.THRESH_OTSU)[0]
    border = 2 * _bright_border_share(smooth > threshold) - 1
    if abs(border) < MIN_BORDER_AGREEMENT:
        border = 0.0
    score = math.log(thinness) + 0.5 * math.log(strength) + 2 * math.log(roughness) + 1.5 * border
    return score > 0


def _morphology_series(image: ByteArray, sizes: list[int], closing: bool) -> list[ByteArray]:
    """Close or open `image` by squares of odd, ascending `sizes`.

    The first step of each size starts from that of the size before.
    """
    first, second = (cv2.dilate, cv2.erode) if closing else (cv2.erode, cv2.dilate)
    results, before = [], 1
    for size in sizes:
        image, before = first(image, square_kernel(size - before + 1)), size
        results.append(second(image, square_kernel(size)))
    return results


def _energies(filtered: list[ByteArray], smooth: ByteArray) -> list[float]:
    """Return the sum of squared differences of each of `filtered` from `smooth`."""
    return [cv2.norm(f, smooth, cv2.NORM_L2SQR) + 1e-3 for f in filtered]


def _total_variation(images: list[ByteArray]) -> float:
    """Return the sum of absolute differences of neighboring pixels, of all images together."""
    return 1 + sum(
        cv2.norm(p[1:], p[:-1], cv2.NORM_L1) + cv2.norm(p[:, 1:], p[:, :-1], cv2.NORM_L1)
        for p in images
    )


def _bright_border_share(bright: BoolArray) -> float:
    """Return the share of bright pixels on the border, 0..1, inside of a frame if there is one."""
    shares = []
    for inset in reversed(INSETS):
        depth = int(inset * min(bright.shape))
        inner = bright[depth : len(bright) - depth, depth : bright.shape[1] - depth]
        border = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
        shares.append(np.count_nonzero(border) / len(border))
        if abs(2 * shares[-1] - 1) > 0.9:
            return shares[-1]
    return sum(shares[-3:]) / 3
