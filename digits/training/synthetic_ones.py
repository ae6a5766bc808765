"""Ones as many people write them, drawn: with a flag, half of them with a foot.

Nearly all ones of MNIST's writers, who were Americans, are a single line; in most of Europe
and elsewhere a one begins with a stroke upwards. A network that has hardly seen that takes it
for a 7, or a foot for a 2. So some are drawn and added to the training pictures.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from digits.datasets.split_files import SIDE, LabelledImages

ONE = 1  # the label
BOX = 20  # pixels that MNIST's makers scaled a digit into
FINE = 8  # drawn so many times larger, then shrunk
BITS = 4  # of the fractions of a pixel that OpenCV draws with

# In heights of the stem; drawn ones are uniform between two values, normal where one is a sigma.
FLAG = (0.25, 0.65)  # its length
SPREAD = (25.0, 60.0)  # degrees between flag and stem: a 7's bar is further off
LONG, NARROW = 0.5, 48.0  # a longer flag is at most so many degrees off, or it would be a 7
ABOVE = (-0.03, 0.08)  # of half of the ones: where the flag meets the stem, from the top
FOOT = (0.12, 0.5)  # to each side of the stem
TILT = 0.07  # sigma of the foot's rise
BEND = 0.03  # sigma, of stem and flag in the middle
SLANT, LEAN = 0.08, 0.15  # mean and sigma: sideways per height
WIDTH = (0.85, 1.15)  # of the whole
PEN = (1.6, 3.6)  # pixels of the result

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


def add_synthetic_ones(pictures: LabelledImages, count: int, seed: int) -> LabelledImages:
    """`pictures` and, behind them, `count` drawn ones that `seed` decides."""
    if not count:
        return pictures
    images = np.concatenate([pictures.images, draw_ones(count, seed)])
    return LabelledImages(images, np.append(pictures.labels, np.full(count, ONE)))


def draw_ones(count: int, seed: int) -> Bytes:
    """`count` ones as MNIST's makers would have left them, (count, 28, 28), 0 the background."""
    rng = np.random.default_rng(seed)
    return np.stack([_render(_random_strokes(rng), rng.uniform(*PEN)) for _ in range(count)])


def _random_strokes(rng: np.random.Generator) -> list[Floats]:
    """The pen's ways, (points, 2) each, x first; the stem goes from (0, 0) to (0, 1)."""
    length, spread = rng.uniform(*FLAG), rng.uniform(*SPREAD)
    angle = np.radians(min(spread, NARROW) if length > LONG else spread)
    tip = length * np.array([-np.sin(angle), np.cos(angle)])
    top = np.array([0, rng.uniform(*ABOVE) if rng.random() < 0.5 else 0])
    ways = [_curved_stroke(np.zeros(2), np.array([0, 1]), rng), _curved_stroke(top, top + tip, rng)]
    if rng.random() < 0.5:
        left, right = rng.uniform(*FOOT, 2)
        rise = rng.normal(0, TILT)
        ways.append(np.array([[-left, 1 + rise * left], [right, 1 - rise * right]]))
    slanted = np.array([[rng.uniform(*WIDTH), -rng.normal(SLANT, LEAN)], [0, 1]])
    return [way @ slanted.T for way in ways]


def _curved_stroke(start: Floats, end: Floats, rng: np.random.Generator) -> Floats:
    """Nine points from `start` to `end` on a shallow parabola."""
    along = np.linspace(0, 1, 9)[:, None]
    across = (end - start)[::-1] * (1, -1)
    return start + along * (end - start) + 4 * along * (1 - along) * rng.normal(0, BEND) * across


def _render(ways: list[Floats], pen: float) -> Bytes:
    """Strokes of `pen` pixels, scaled into the box and centred by mass, (28, 28)."""
    points = np.concatenate(ways)
    low, high = points.min(0), points.max(0)
    scale, middle = (BOX - pen) / (high - low).max(), (low + high) / 2
    canvas = np.zeros((SIDE * FINE, SIDE * FINE), np.uint8)
    for way in ways:
        places = ((way - middle) * scale + SIDE / 2) * FINE * 2**BITS
        line = [np.rint(places).astype(np.int32)]
        cv2.polylines(canvas, line, False, 255, round(pen * FINE), cv2.LINE_AA, BITS)
    mass = cv2.moments(canvas)
    # MNIST's centre of mass is at index 14, the middle of that pixel
    centre = (SIDE / 2 + 0.5) * FINE - 0.5
    move = np.array([[1, 0, centre - mass["m10"] / mass["m00"]], [0, 1, 0]])
    move[1, 2] = centre - mass["m01"] / mass["m00"]
    moved = cv2.warpAffine(canvas, move, canvas.shape)
    return np.asarray(cv2.resize(moved, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
