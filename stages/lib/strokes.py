"""Ink -> connected pieces of ink that may belong to digits.

Frames, ruled lines, table edges and what the picture's edge cuts off are no such pieces.
Sizes are shares of the typical height of the pieces: nothing else is known of the pen, the
paper or the camera.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.lib.ink import Ink
from stages.lib.levels import Bytes, Ints, Mask, levels, mean_pen

FAINT = 0.3  # of the ink's typical amount: enough where it joins clear ink
RULED = 0.7  # of the picture's side: what is longer may be a printed line
MOST = 100  # pieces; more are noise, and the largest are kept
CLEAR = 5.0  # of the noise: ink differs more from the paper
BODY = 0.45  # of the typical height: smaller pieces of ink are no digits of their own
FREE = 0.05  # of the typical height: a margin that shows that the picture is no tight crop
AROUND = 0.35  # of the picture's edge: a piece that covers more is a frame or a shadow
LEAVES = 6  # times: a digit's strokes leave the picture less often, ruled lines more
HELD = 0.25  # of a frame's size: what it is drawn around is larger
RIM = 0.12  # of a frame's sides: all its ink is nearer to its edge
THIN = 0.2  # of the typical height: what lies along the picture's edge and is thinner is no digit
PALE = 0.7  # of the other ink's amount: on the picture's edge, less is a shadow
LONG = 0.4  # of the picture's side: no stroke of a digit runs straight so far
FINE = 0.012  # of the picture's longer side: half as thick as a printed line may be
CROOKED = 0.012  # of the picture's side: how far a line may leave the straight on such a way
THINNER = 0.8  # of the pen's width: lines are printed finer than people write
MANY = 6  # lines' lengths: more than in any digit that fills the picture


@dataclass(frozen=True)
class Strokes:
    """The connected pieces of ink of a picture.

    `amount` uint8 [height, width]: of ink. `labels` int32 [height, width]: `ids`[i] where
    piece i is. `boxes` [n, 4]: left, top, right, bottom; `areas` [n] in pixels.
    """

    amount: Bytes
    labels: NDArray[np.int32]
    ids: Ints
    boxes: Ints
    areas: Ints

    def only(self, kept: Mask | Ints) -> "Strokes":
        """These pieces alone."""
        return Strokes(self.amount, self.labels, self.ids[kept], self.boxes[kept], self.areas[kept])


def pieces(ink: Ink) -> Strokes:
    """What may belong to digits: clear ink, with the faint ink that touches it."""
    found = _connected(ink)
    across = _sides(found.boxes).T / np.array(ink.amount.shape[::-1])[:, None]
    if (across > RULED).any():
        unruled = without_lines(ink.amount)
        if unruled is not None:
            found = _connected(Ink(unruled, levels(unruled)))
    return _without_edges(_without_frames(found))


def typical(strokes: Strokes) -> float:
    """The height of most ink in pixels: the pieces' median, weighted by area; 0 for none."""
    return weighted_median(strokes.boxes[:, 3] - strokes.boxes[:, 1], strokes.areas)


def weighted_median(values: Ints, weights: Ints) -> float:
    """The value that half of the weight lies below; 0 for none."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)]) if len(order) else 0.0


def _connected(ink: Ink) -> Strokes:
    paper, level, noise = ink.levels
    clear = ink.levels.half
    faint = paper + max(FAINT * (level - paper), 4 * noise)
    mask = cv2.threshold(ink.amount, min(faint, clear), 1, cv2.THRESH_BINARY)[1]
    left, top, width, height = cv2.boundingRect(mask)
    # most pictures are mostly paper
    inside = np.s_[top : top + max(height, 1), left : left + max(width, 1)]
    labels = np.zeros(mask.shape, np.int32)
    labels[inside], stats = cv2.connectedComponentsWithStats(mask[inside])[1:3]
    boxes, areas = stats.astype(np.int64)[:, :4], stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    boxes[:, :2] += [left, top]
    boxes[:, 2:] += boxes[:, :2]
    ids = np.flatnonzero(np.bincount(labels[inside][ink.amount[inside] > clear]))
    if len(ids) > MOST and level - paper < CLEAR * noise:
        ids = ids[:0]  # the paper's texture
    ids = ids[np.argsort(-areas[ids], kind="stable")[:MOST]]
    return Strokes(ink.amount, labels, ids, boxes[ids], areas[ids])


def _sides(boxes: Ints) -> Ints:
    return boxes[:, 2:] - boxes[:, :2]


def _without_frames(strokes: Strokes) -> Strokes:
    """Without pieces that cover the picture's edge, and boxes drawn around other pieces."""
    labels, boxes = strokes.labels, strokes.boxes
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    share = np.bincount(edge, minlength=strokes.ids.max(initial=0) + 1)[strokes.ids] / len(edge)
    sizes = _sides(boxes).max(1)
    around = (share > AROUND) & (sizes[share == 0].max(initial=0) > 0.15 * min(labels.shape))
    inside = (boxes[:, None, :2] < boxes[None, :, :2]) & (boxes[:, None, 2:] > boxes[None, :, 2:])
    holds = (inside.all(2) & (sizes[None] > HELD * sizes[:, None])).any(1)
    for i in np.nonzero(share)[0]:
        on = edge == strokes.ids[i]
        around[i] |= np.count_nonzero(on[1:] > on[:-1]) > LEAVES
    for i in np.nonzero(holds & ~around)[0]:
        left, top, right, bottom = boxes[i]
        rim = int(RIM * min(right - left, bottom - top))
        middle = labels[top + rim : bottom - rim, left + rim : right - rim]
        around[i] = (middle == strokes.ids[i]).sum() < RIM * strokes.areas[i]
    return strokes.only(~around)


def _without_edges(strokes: Strokes) -> Strokes:
    """Without shadows, table edges and neighbours that the picture's edge cuts off."""
    height, width = strokes.labels.shape
    margins = np.concatenate([strokes.boxes[:, :2], [width, height] - strokes.boxes[:, 2:]], 1)
    touching = (margins == 0).any(1)
    sides, size = _sides(strokes.boxes), typical(strokes)
    large = (sides.max(1) > BODY * size) & (~touching | (sides.min(1) > THIN * size))
    kept = np.ones(len(touching), np.bool_)
    for i in map(int, np.nonzero(touching)[0]):
        others = large & (np.arange(len(large)) != i)
        if others.any():
            kept[i] = not _cut_off(strokes, i, margins, others, size)
    return strokes.only(kept)


def _cut_off(strokes: Strokes, i: int, margins: Ints, others: Mask, size: float) -> bool:
    """Whether piece `i`, on the picture's edge, lies outside of what the picture shows."""
    inner = others & (margins > 0).all(1)
    if inner.any():
        main = np.nonzero(inner)[0][strokes.areas[inner].argmax()]
        if _strength(strokes, i) < PALE * _strength(strokes, main):
            return True
    free = margins[others].min(0) > FREE * size
    touched = margins[i] == 0
    sides = _sides(strokes.boxes)
    if sides[i].max() > 1.3 * sides[others].max():  # along the edge, or larger than a digit
        return bool(sides[i].min() < THIN * size and free[touched].any())
    across = np.roll(touched, 1) | np.roll(touched, -1)
    return bool(free[touched | across].all())


def _strength(strokes: Strokes, i: int) -> float:
    """The mean amount of ink of piece `i`."""
    left, top, right, bottom = strokes.boxes[i]
    inside = np.s_[top:bottom, left:right]
    return float(strokes.amount[inside][strokes.labels[inside] == strokes.ids[i]].mean())


def without_lines(amount: Bytes) -> Bytes | None:
    """`amount`, uint8 [height, width], without lines along or across; None if it has none.

    A grey-scale opening finds what runs straight for long; that much is taken away, so that
    strokes that cross a line keep what they have more than it.
    """
    rest = _without_lines_along(amount)
    rest = cv2.transpose(_without_lines_along(cv2.transpose(rest)))
    return rest if _printed(cv2.subtract(amount, rest), rest) else None


def _without_lines_along(amount: Bytes) -> Bytes:
    rest = cv2.subtract(amount, _lines(amount))
    # a stroke as dark as the line has a gap now: bridge it from above to below
    gap = cv2.subtract(amount, rest)
    reach = np.ones((4 * _spread(amount) + 5, 1), np.uint8)
    return cv2.max(rest, cv2.min(cv2.morphologyEx(rest, cv2.MORPH_CLOSE, reach), gap))


def _printed(lines: Bytes, rest: Bytes) -> bool:
    """Whether `lines` are thinner than the pen that wrote the `rest`, or more than strokes are."""
    found, left = ((amount > levels(amount).half).astype(np.uint8) for amount in (lines, rest))
    if not found.any():
        return False
    thick = mean_pen(found)
    count = found.sum() / (LONG * max(lines.shape) * thick)
    return bool(count > MANY or (thick < THINNER * mean_pen(left)))


def _lines(amount: Bytes) -> Bytes:
    """How much of each pixel belongs to a fine line from left to right."""
    thickest = 2 * int(FINE * max(amount.shape)) + 3
    fine = cv2.morphologyEx(amount, cv2.MORPH_TOPHAT, np.ones((thickest, 1), np.uint8))
    along = np.ones((1, max(3, int(LONG * amount.shape[1]))), np.uint8)
    near = cv2.dilate(fine, np.ones((2 * _spread(amount) + 1, 1), np.uint8))
    # where lines cross, neither is fine
    near = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((1, thickest), np.uint8))
    return cv2.min(fine, cv2.morphologyEx(near, cv2.MORPH_OPEN, along))


def _spread(amount: Bytes) -> int:
    return max(1, int(CROOKED * amount.shape[1]))
