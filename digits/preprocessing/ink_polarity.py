"""TODO"""

import math
from collections.abc import Callable

import cv2
import numpy as np

from digits.preprocessing.array_types import BoolArray, ByteArray
from digits.preprocessing.thumbnails import smoothed, square_kernel

Filter = Callable[[ByteArray, ByteArray], ByteArray]  # of a picture, by a square
SCALES = (0.06, 0.13, 0.19, 0.4)  # widths of structures that are compared
NARROW = 0.4  # widths per height: only a one is narrower
UNMIXED = 0.9  # of the picture's edge less the rest: an edge that is more mixed is no paper's
INSETS = (0.0, 0.03, 0.06, 0.09, 0.12, 0.15)  # of the shorter side: how far in a frame may reach


def has_dark_ink(flat: ByteArray) -> bool:
    """Whether the ink is darker than the paper, in evenly lit light.

    Ink is what is thin: dark and light structures are compared at several widths by the
    energies of black-hat and top-hat. Paper is what is smooth once the ink is filled in, and
    what lies at the picture's edge, if that is the same all around. The edge of a shadow
    counts on neither side: closing and opening leave it. A narrow picture is a one cut out,
    which may fill it.
    """
    smooth = smoothed(flat)
    height, width = flat.shape
    if width < NARROW * height:
        third = width // 3
        return bool(smooth[:, third : width - third].mean() < smooth[:, [0, -1]].mean())
    sizes = [max(3, int(scale * max(height, width)) | 1) for scale in SCALES]
    without_dark = _morphology_series(smooth, sizes, cv2.dilate, cv2.erode)
    without_light = _morphology_series(smooth, sizes, cv2.erode, cv2.dilate)
    dark, light = _energies(without_dark, smooth), _energies(without_light, smooth)
    # the sooner a width takes in all, the thinner the structures are
    strong = sum(dark) / sum(light)
    thin = strong * light[-1] / dark[-1]
    rough = _total_variation(without_light) / _total_variation(without_dark)
    level = cv2.threshold(smooth, 0, 255, cv2.THRESH_OTSU)[0]
    edge = 2 * _bright_border_share(smooth > level) - 1
    if abs(edge) < UNMIXED:
        edge = 0.0
    return math.log(thin) + 0.5 * math.log(strong) + 2 * math.log(rough) + 1.5 * edge > 0


def _morphology_series(
    picture: ByteArray, sizes: list[int], spread: Filter, back: Filter
) -> list[ByteArray]:
    """`picture` closed or opened by squares of odd, ascending `sizes`; each spreads on the last."""
    found, before = [], 1
    for size in sizes:
        picture, before = spread(picture, square_kernel(size - before + 1)), size
        found.append(back(picture, square_kernel(size)))
    return found


def _energies(without: list[ByteArray], smooth: ByteArray) -> list[float]:
    """What is gone from each of `without`: the sum of squares."""
    return [cv2.norm(w, smooth, cv2.NORM_L2SQR) + 1e-3 for w in without]


def _total_variation(papers: list[ByteArray]) -> float:
    """How much brightness changes from pixel to pixel, in all together."""
    return 1 + sum(
        cv2.norm(p[1:], p[:-1], cv2.NORM_L1) + cv2.norm(p[:, 1:], p[:, :-1], cv2.NORM_L1)
        for p in papers
    )


def _bright_border_share(bright: BoolArray) -> float:
    """The share of bright pixels on the picture's edge, 0..1; within a frame if there is one."""
    shares = []
    for inset in reversed(INSETS):
        depth = int(inset * min(bright.shape))
        inner = bright[depth : len(bright) - depth, depth : bright.shape[1] - depth]
        edge = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
        shares.append(np.count_nonzero(edge) / len(edge))
        if abs(2 * shares[-1] - 1) > 0.9:
            return shares[-1]
    return sum(shares[-3:]) / 3
