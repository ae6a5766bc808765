"""Pieces of ink -> digits in rows.

Sizes are shares of the typical height of a digit in the picture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from digits.preprocessing.array_types import IntArray
from digits.preprocessing.connected_components import (
    ConnectedComponents,
    typical_height,
    weighted_median,
)
from digits.preprocessing.frame_removal import BODY
from digits.preprocessing.stroke_width import mean_stroke_width

NEAR = 0.3  # how far above or below a digit its detached strokes may be
CLOSE = 0.1  # how far beside a digit its detached bar may begin
SPECK = 0.01  # of the square of the height: less ink is no stroke
OVER = 0.6  # of the narrower piece's width: pieces that share less are beside each other
APART = 0.12  # of a digit's own height: how far its parts may be above each other
STACKED = 1.5  # how tall a digit made of several pieces may be
BROAD = 1.2  # widths per height: a digit made of several pieces is no broader
TALL = 0.75  # of their common height: two pieces beside each other that are so tall are two digits
ENOUGH = 3  # pieces: from more, the typical height is that of a digit, and not of its parts


def single_glyph(strokes: ConnectedComponents) -> list[IntArray]:
    """All ink as one digit, but for specks: the indices of its pieces; none for no ink."""
    if not len(strokes.ids):
        return []
    height = typical_height(strokes)
    main = strokes.areas.argmax()
    sizes = (strokes.boxes[:, 2:] - strokes.boxes[:, :2]).max(1)
    near = _box_distances(strokes.boxes)[:, main] < NEAR * height
    large = strokes.areas > SPECK * strokes.areas[main]
    return [np.nonzero((sizes > BODY * height) | (near & large))[0]]


def separate_glyphs(strokes: ConnectedComponents) -> list[IntArray]:
    """The indices of each digit's pieces; specks, points and dashes belong to none."""
    strokes_of = _merge_broken_glyphs(strokes)
    hulls = np.array([enclosing_box(strokes.boxes[members]) for members in strokes_of]).reshape(
        -1, 4
    )
    heights = hulls[:, 3] - hulls[:, 1]
    areas = np.array([strokes.areas[members].sum() for members in strokes_of])
    height = weighted_median(heights, areas)
    bodies = np.nonzero(heights > BODY * height)[0]
    digits = {int(b): [strokes_of[b]] for b in bodies}
    gaps = _box_distances(hulls)
    for i in np.nonzero((heights <= BODY * height) & (areas > SPECK * height**2))[0]:
        owners = [b for b in bodies if _is_detached_stroke(hulls[i], hulls[b], height)]
        if owners:
            digits[int(min(owners, key=lambda b: gaps[i, b]))].append(strokes_of[i])
    return [np.concatenate(members) for members in digits.values()]


def _merge_broken_glyphs(strokes: ConnectedComponents) -> list[IntArray]:
    """The pieces, those of a broken digit together."""
    if len(strokes.ids) < 2:
        return list(np.arange(len(strokes.ids))[:, None])
    group, hulls = np.arange(len(strokes.ids)), strokes.boxes.tolist()
    bodies = (strokes.boxes[:, 3] - strokes.boxes[:, 1]) > BODY * typical_height(strokes)
    height = typical_height(strokes) if bodies.sum() > ENOUGH else np.inf
    cluster = _nearby_clusters(strokes)
    gaps = _box_distances(strokes.boxes)
    close = (cluster[:, None] == cluster[None]) | (bodies[:, None] & bodies[None])
    first, second = np.nonzero(np.triu(close, 1))
    for k in np.argsort(gaps[first, second], kind="stable"):
        i, j = group[first[k]], group[second[k]]
        if i == j:
            continue
        if _belong_together(hulls[i], hulls[j], height, cluster[first[k]] == cluster[second[k]]):
            hulls[i] = enclosing_box(np.array([hulls[i], hulls[j]])).tolist()
            group[group == j] = i
    return [np.nonzero(group == g)[0] for g in np.unique(group)]


def _nearby_clusters(strokes: ConnectedComponents) -> IntArray:
    """A number for each piece, the same for pieces that are nearer than a stroke is wide."""
    left, top, right, bottom = enclosing_box(strokes.boxes)
    labels = strokes.labels[top:bottom, left:right]
    wanted = np.zeros(labels.max() + 1, np.uint8)
    wanted[strokes.ids] = 1
    mask = wanted[labels]
    size = 2 * int(mean_stroke_width(mask) / 2 + 0.5) + 1
    near = cv2.connectedComponents(cv2.dilate(mask, np.ones((size, size), np.uint8)))[1]
    firsts = strokes.boxes[:, 1] - top  # each piece has a pixel in the first row of its box
    columns = [int((labels[y] == i).argmax()) for y, i in zip(firsts, strokes.ids, strict=True)]
    return near[firsts, columns].astype(np.int64)


def _belong_together(a: list[int], b: list[int], height: float, close: bool) -> bool:
    """Whether the pieces within boxes `a` and `b` are parts of one digit.

    `close`: their strokes nearly meet. Plain numbers: it is asked of each pair of pieces, and
    numpy takes ten times as long for two boxes.
    """
    broad = max(a[2], b[2]) - min(a[0], b[0])
    tall = max(a[3], b[3]) - min(a[1], b[1])
    if tall > STACKED * height:
        return False
    shared = min(a[2], b[2]) - max(a[0], b[0])
    over = shared > OVER * min(a[2] - a[0], b[2] - b[0])
    if not close:
        return over and max(a[1], b[1]) - min(a[3], b[3]) < APART * tall
    beside = not over and min(a[3] - a[1], b[3] - b[1]) > TALL * tall
    return broad < BROAD * tall and not beside


def _is_detached_stroke(piece: IntArray, digit: IntArray, height: float) -> bool:
    """Whether a small piece is a detached stroke of a digit: above, within or below it."""
    shared = min(piece[2], digit[2]) - max(piece[0], digit[0])
    above = max(piece[1], digit[1]) - min(piece[3], digit[3])
    over = shared > 0.4 * (piece[2] - piece[0]) and above < NEAR * height
    # the bar of a five begins where its body ends, at the top; points stand at the bottom
    bar = -shared < CLOSE * height and piece[3] < (digit[1] + digit[3]) / 2
    return bool(over or (bar and above < NEAR * height))


def _box_distances(boxes: IntArray) -> NDArray[np.float64]:
    """How far the boxes are apart: [n, n] pixels, 0 where they overlap."""
    some, others = boxes[:, None], boxes[None]
    apart = np.maximum(some[..., :2] - others[..., 2:], others[..., :2] - some[..., 2:]).clip(0)
    return np.hypot(apart[..., 0], apart[..., 1])


def enclosing_box(boxes: IntArray) -> IntArray:
    """The box around all `boxes` [n, 4]."""
    return np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])
