"""Synthetic training images of ones with a flag, half of them with a foot.

The flag is the stroke that leads up to the top of a one, the foot the bar below it. Nearly all
ones of MNIST, whose writers were Americans, are a single line; in Europe and elsewhere most have
a flag. A network trained on MNIST alone takes a flag for a 7, or a foot for a 2. Random
distortion of the images of MNIST is in `augmentation`.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from digits.datasets.split_files import CLASSES, SIDE, LabelledImages
from digits.preprocessing.image_format import MNIST
from digits.project.errors import UserError

ONE = 1  # the label
BOX = 20  # pixels on the longer side: MNIST scales each digit to that
ZOOM = 8  # of the canvas, which is then reduced
BITS = 4  # of the fractions of a pixel that OpenCV draws with

# In heights of the stem. Random values are uniform between the two of a pair, normal where the
# comment says sigma.
FLAG = (0.25, 0.65)  # length
SPREAD = (25.0, 60.0)  # degrees between flag and stem: the bar of a 7 has more
LONG, NARROW = 0.5, 48.0  # a flag longer than LONG has at most NARROW degrees, unlike a 7
ABOVE = (-0.03, 0.08)  # of half of the ones: where the flag meets the stem, from the top
FOOT = (0.12, 0.5)  # to each side of the stem
TILT = 0.07  # sigma of the foot's slope
BEND = 0.03  # sigma, of stem and flag in the middle
SLANT, LEAN = 0.08, 0.15  # mean and sigma: sideways per height
WIDTH = (0.85, 1.15)  # factor of all widths
PEN = (1.6, 3.6)  # pixels of the result

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


def add_synthetic_ones(given: LabelledImages, count: int, seed: int) -> LabelledImages:
    """Return the given images and, behind them, `count` synthetic ones that `seed` decides.

    Raises UserError where the images are not digits in the format of MNIST.
    """
    if not count:
        return given
    if (list(given.classes), given.format) != (CLASSES, MNIST):
        first, last = given.classes[0], given.classes[-1]
        found = f"augment.flagged_ones is {count}, and the classes are {first} to {last}"
        found += f", {given.format.kind} of {given.format.side} pixels"
        raise UserError(f"{found}: synthetic ones are for digits of 28 pixels; set it to 0")
    images = np.concatenate([given.images, draw_ones(count, seed)])
    return replace(given, images=images, labels=np.append(given.labels, np.full(count, ONE)))


def draw_ones(count: int, seed: int) -> Bytes:
    """Draw `count` ones in the format of MNIST, (count, 28, 28), 0 the background."""
    rng = np.random.default_rng(seed)
    return np.stack([_render(_random_strokes(rng), rng.uniform(*PEN)) for _ in range(count)])


def _random_strokes(rng: Generator) -> list[Floats]:
    """Return the pen's paths, (points, 2) each, x first; the stem goes from (0, 0) to (0, 1)."""
    length, spread = rng.uniform(*FLAG), rng.uniform(*SPREAD)
    angle = np.radians(min(spread, NARROW) if length > LONG else spread)
    tip = length * np.array([-np.sin(angle), np.cos(angle)])
    top = np.array([0, rng.uniform(*ABOVE) if rng.random() < 0.5 else 0])
    paths = [_curve(np.zeros(2), np.array([0, 1]), rng), _curve(top, top + tip, rng)]
    if rng.random() < 0.5:
        (left, right), slope = rng.uniform(*FOOT, 2), rng.normal(0, TILT)
        paths.append(np.array([[-left, 1 + slope * left], [right, 1 - slope * right]]))
    slanted = np.array([[rng.uniform(*WIDTH), -rng.normal(SLANT, LEAN)], [0, 1]])
    return [path @ slanted.T for path in paths]


def _curve(start: Floats, end: Floats, rng: Generator) -> Floats:
    """Return nine points from `start` to `end` on a shallow parabola."""
    along = np.linspace(0, 1, 9)[:, None]
    across = (end - start)[::-1] * (1, -1)
    return start + along * (end - start) + 4 * along * (1 - along) * rng.normal(0, BEND) * across


def _render(paths: list[Floats], pen: float) -> Bytes:
    """Draw paths `pen` pixels wide, scaled into the box and centered by mass, (28, 28)."""
    points = np.concatenate(paths)
    low, high = points.min(0), points.max(0)
    scale, center = (BOX - pen) / (high - low).max(), (low + high) / 2
    canvas = np.zeros((SIDE * ZOOM, SIDE * ZOOM), np.uint8)
    for path in paths:
        corners = np.rint(((path - center) * scale + SIDE / 2) * ZOOM * 2**BITS).astype(np.int32)
        cv2.polylines(canvas, [corners], False, 255, round(pen * ZOOM), cv2.LINE_AA, BITS)
    mass = cv2.moments(canvas)
    # the center of mass of MNIST's digits is at index 14, the middle of that pixel
    target = (SIDE / 2 + 0.5) * ZOOM - 0.5
    x, y = target - mass["m10"] / mass["m00"], target - mass["m01"] / mass["m00"]
    moved = cv2.warpAffine(canvas, np.array([[1, 0, x], [0, 1, y]]), canvas.shape)
    return np.asarray(cv2.resize(moved, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
