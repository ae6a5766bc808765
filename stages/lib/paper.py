"""The paper that a small grey picture shows: where it lies, how it is lit, what is on it.

All functions take a thumbnail, uint8 [height, width], at most THUMB pixels a side. Widths of
structures are shares of its longer side: nothing is known yet of digits or pens.
"""

import functools
import math
from collections.abc import Callable

import cv2
import numpy as np

from stages.lib.levels import Bytes, Floats, Mask, levels, median, pen, quantile
from stages.lib.shrink import shrunk

Filter = Callable[[Bytes, Bytes], Bytes]  # of a picture, by a square
THUMB = 128  # pixels
SHEET = 0.2  # of the picture: a sheet of paper on a table is larger
CORNERED = 0.88  # of the rectangle around it: what fills less has no four corners
SHADED = 0.6  # of the paper's light: in shadow there is more, and tables are darker
EVEN = 0.3  # of the deviations: light that explains less of them is none
SCALES = (0.06, 0.13, 0.19, 0.4)  # widths of structures that are compared
NARROW = 0.4  # widths per height: only a one is narrower
UNMIXED = 0.9  # of the picture's edge less the rest: an edge that is more mixed is no paper's
INSETS = (0.0, 0.03, 0.06, 0.09, 0.12, 0.15)  # of the shorter side: how far in a frame may reach
WIDEST = 0.35  # a stroke is thinner, what is wider is shadow or paper
REACH = 4.0  # stroke widths: what is wider than this is no stroke of the pen
SOLID = 0.25  # of the way from ink to paper: what is darker is ink however wide it is


def thumbnail(grey: Bytes) -> Bytes:
    """`grey` averaged over whole pixels, so that no side exceeds THUMB."""
    factor = -(-max(grey.shape) // THUMB)
    if factor == 1:
        return grey
    height, width = (max(1, side // factor) for side in grey.shape)
    whole = grey[: height * factor, : width * factor]
    return shrunk(whole, (width, height))


def sheet(thumb: Bytes) -> Mask | None:
    """Where the sheet of paper lies, if it lies on something darker; else None.

    A sheet is bright, large, has four corners and a sharp edge with nothing on it, and not
    only one edge of it is in the picture: that would be a shadow's.
    """
    bright = cv2.threshold(thumb, 0, 1, cv2.THRESH_OTSU)[1]
    if all(edge.all() for edge in (bright[0], bright[-1], bright[:, 0], bright[:, -1])):
        return None  # the usual picture: no table around
    size = max(thumb.shape) // 16 | 1
    # so that narrow margins stay
    wide = cv2.copyMakeBorder(bright, size, size, size, size, cv2.BORDER_CONSTANT)
    whole = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, _square(size))[size:-size, size:-size]
    outlines = cv2.findContours(whole.copy(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    area, sides = cv2.contourArea(outline), cv2.minAreaRect(outline)[1]
    if area < SHEET * thumb.size or area < CORNERED * sides[0] * sides[1]:
        return None
    found = cv2.drawContours(np.zeros_like(bright), [outline], -1, 1, cv2.FILLED)
    inner = cv2.erode(found, _square(5), borderValue=1)
    outer = 1 - cv2.dilate(found, _square(5))
    if outer.sum() < 0.02 * thumb.size or not _on_table(thumb, bright, inner, outer):
        return None
    return inner.astype(np.bool_)


def _on_table(thumb: Bytes, bright: Bytes, inner: Bytes, outer: Bytes) -> bool:
    """Whether `inner` is a sheet with something on it and `outer` the table it lies on."""
    white, dark = np.median(thumb[inner > 0]), np.median(thumb[outer > 0])
    rim = (inner > 0) & (cv2.erode(inner, _square(7), borderValue=1) == 0)
    edge = (inner == 0) & (outer == 0)
    blurred = np.abs(thumb[edge] - (dark + white) / 2.0) < 0.25 * (white - dark)
    whole = cv2.contourArea(cv2.convexHull(cv2.findNonZero(outer)))
    return bool(
        dark < SHADED * white
        and blurred.mean() < 0.3
        and outer.sum() < 0.9 * whole
        and bright[outer > 0].mean() < 0.1
        and bright[rim].mean() > 0.95
        and 0.7 < bright[inner > 0].mean() < 0.998
    )


def light(thumb: Bytes) -> Floats:
    """How the light changes over the picture, with mean 0; all 0 where it seems even.

    A paraboloid through most pixels, whatever the ink and its polarity: least absolute
    deviations by reweighted least squares.
    """
    height, width = thumb.shape
    y = (np.arange(height, dtype=np.float32) * (2 / max(height - 1, 1)) - 1)[:, None]
    x = np.arange(width, dtype=np.float32) * (2 / max(width - 1, 1)) - 1
    step = max(1, max(thumb.shape) // 24)
    values = thumb[::step, ::step].astype(np.float32).ravel()
    points = _paraboloid(x[::step], y[::step])
    ridge = 1e-3 * np.eye(6, dtype=np.float32)
    weights: Floats = np.ones_like(values)
    for _ in range(8):
        weighted = points * weights
        normal = weighted @ points.T + ridge
        fit = cv2.solve(normal, (weighted @ values)[:, None])[1].ravel()
        off: Floats = np.abs(values - fit @ points)
        weights = np.reciprocal(np.maximum(off, 1))
    if median(off) > EVEN * median(np.abs(values - np.float32(median(values)))):
        return np.zeros(thumb.shape, np.float32)
    mean, across, down, bent, twisted, hollow = fit
    surface: Floats = (mean + y * (down + y * hollow)) + x * (across + x * bent + y * twisted)
    return surface - surface.mean()


def _paraboloid(x: Floats, y: Floats) -> Floats:
    """The six terms of a paraboloid, [6, points], of each x with each y, [n, 1]."""
    one = np.ones((len(y), len(x)), np.float32)
    return np.stack([one, x * one, y * one, x * x * one, x * y, y * y * one]).reshape(6, -1)


def dark_ink(flat: Bytes) -> bool:
    """Whether the ink is darker than the paper, in evenly lit light.

    Ink is what is thin: dark and light structures are compared at several widths by the
    energies of black-hat and top-hat. Paper is what is smooth once the ink is filled in, and
    what lies at the picture's edge, if that is the same all around. The edge of a shadow
    counts on neither side: closing and opening leave it. A narrow picture is a one cut out,
    which may fill it.
    """
    smooth = _smooth(flat)
    height, width = flat.shape
    if width < NARROW * height:
        third = width // 3
        return bool(smooth[:, third : width - third].mean() < smooth[:, [0, -1]].mean())
    sizes = [max(3, int(scale * max(height, width)) | 1) for scale in SCALES]
    without_dark = _filtered(smooth, sizes, cv2.dilate, cv2.erode)
    without_light = _filtered(smooth, sizes, cv2.erode, cv2.dilate)
    dark, light = _energies(without_dark, smooth), _energies(without_light, smooth)
    # the sooner a width takes in all, the thinner the structures are
    strong = sum(dark) / sum(light)
    thin = strong * light[-1] / dark[-1]
    rough = _variation(without_light) / _variation(without_dark)
    level = cv2.threshold(smooth, 0, 255, cv2.THRESH_OTSU)[0]
    edge = 2 * _edge(smooth > level) - 1
    if abs(edge) < UNMIXED:
        edge = 0.0
    return math.log(thin) + 0.5 * math.log(strong) + 2 * math.log(rough) + 1.5 * edge > 0


def _filtered(picture: Bytes, sizes: list[int], spread: Filter, back: Filter) -> list[Bytes]:
    """`picture` closed or opened by squares of odd, ascending `sizes`; each spreads on the last."""
    found, before = [], 1
    for size in sizes:
        picture, before = spread(picture, _square(size - before + 1)), size
        found.append(back(picture, _square(size)))
    return found


def _energies(without: list[Bytes], smooth: Bytes) -> list[float]:
    """What is gone from each of `without`: the sum of squares."""
    return [cv2.norm(w, smooth, cv2.NORM_L2SQR) + 1e-3 for w in without]


def _variation(papers: list[Bytes]) -> float:
    """How much brightness changes from pixel to pixel, in all together."""
    return 1 + sum(
        cv2.norm(p[1:], p[:-1], cv2.NORM_L1) + cv2.norm(p[:, 1:], p[:, :-1], cv2.NORM_L1)
        for p in papers
    )


def _edge(bright: Mask) -> float:
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


def without_ink(flat: Bytes) -> Bytes:
    """The paper under dark ink: first any stroke is filled in, then this pen's strokes."""
    smooth = _smooth(flat)
    widest = int(WIDEST * max(flat.shape)) | 1
    paper = _filled(smooth, widest)
    size = 2 * int(REACH * pen(_inked(cv2.subtract(paper, smooth))) / 2 + 2) + 1
    return _smooth(paper if size >= widest else _filled(smooth, size))


def _filled(thumb: Bytes, size: int) -> Bytes:
    """`thumb` without what is dark and narrower than `size`, and without what is solid ink."""
    filled = cv2.morphologyEx(thumb, cv2.MORPH_CLOSE, _square(size), borderType=cv2.BORDER_REFLECT)
    amount = cv2.subtract(filled, thumb)
    inked = _inked(amount)
    if not cv2.countNonZero(inked):
        return filled
    # along the picture's edge a stroke may seem too wide; but it is as dark as the others
    dark, white = quantile(thumb, 0.2, inked), quantile(filled, 0.9)
    darkest = (thumb < dark + SOLID * (white - dark)).view(np.uint8)
    core = cv2.erode(cv2.subtract(darkest, inked), _square(3))
    if not cv2.countNonZero(core):
        return filled
    solid = cv2.dilate(core, _square(5))  # an opening by 3 pixels, then one more on each side
    if _width(solid) > WIDEST * max(thumb.shape):
        return filled  # a shadow
    return np.maximum(filled, solid * np.uint8(white))


def _inked(amount: Bytes) -> Bytes:
    """Where there is more than half of the ink's typical `amount`: 1, elsewhere 0."""
    return cv2.threshold(amount, max(levels(amount).ink / 2, 1), 1, cv2.THRESH_BINARY)[1]


def _width(mask: Bytes) -> float:
    """The width in pixels of the widest part of `mask`, which may go on beyond the picture."""
    pad = max(mask.shape) // 2
    wide = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_REFLECT)
    return 2 * float(cv2.distanceTransform(wide, cv2.DIST_L2, 3).max())


def _smooth(thumb: Bytes) -> Bytes:
    return cv2.GaussianBlur(thumb, (3, 3), 0) if max(thumb.shape) > 40 else thumb


@functools.cache
def _square(size: int) -> Bytes:
    return np.ones((size, size), np.uint8)
