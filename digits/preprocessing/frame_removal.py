"""TODO"""

import numpy as np

from digits.preprocessing.array_types import BoolArray, IntArray
from digits.preprocessing.connected_components import ConnectedComponents, box_sizes, typical_height

BODY = 0.45  # of the typical height: smaller pieces of ink are no digits of their own
FREE = 0.05  # of the typical height: a margin that shows that the picture is no tight crop
AROUND = 0.35  # of the picture's edge: a piece that covers more is a frame or a shadow
LEAVES = 6  # times: a digit's strokes leave the picture less often, ruled lines more
HELD = 0.25  # of a frame's size: what it is drawn around is larger
RIM = 0.12  # of a frame's sides: all its ink is nearer to its edge
THIN = 0.2  # of the typical height: what lies along the picture's edge and is thinner is no digit
PALE = 0.7  # of the other ink's amount: on the picture's edge, less is a shadow


def remove_frames(strokes: ConnectedComponents) -> ConnectedComponents:
    """Without pieces that cover the picture's edge, and boxes drawn around other pieces."""
    labels, boxes = strokes.labels, strokes.boxes
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    share = np.bincount(edge, minlength=strokes.ids.max(initial=0) + 1)[strokes.ids] / len(edge)
    sizes = box_sizes(boxes).max(1)
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


def remove_border_components(strokes: ConnectedComponents) -> ConnectedComponents:
    """Without shadows, table edges and neighbours that the picture's edge cuts off."""
    height, width = strokes.labels.shape
    margins = np.concatenate([strokes.boxes[:, :2], [width, height] - strokes.boxes[:, 2:]], 1)
    touching = (margins == 0).any(1)
    sides, size = box_sizes(strokes.boxes), typical_height(strokes)
    large = (sides.max(1) > BODY * size) & (~touching | (sides.min(1) > THIN * size))
    kept = np.ones(len(touching), np.bool_)
    for i in map(int, np.nonzero(touching)[0]):
        others = large & (np.arange(len(large)) != i)
        if others.any():
            kept[i] = not _is_cut_off(strokes, i, margins, others, size)
    return strokes.only(kept)


def _is_cut_off(
    strokes: ConnectedComponents, i: int, margins: IntArray, others: BoolArray, size: float
) -> bool:
    """Whether piece `i`, on the picture's edge, lies outside of what the picture shows."""
    inner = others & (margins > 0).all(1)
    if inner.any():
        main = np.nonzero(inner)[0][strokes.areas[inner].argmax()]
        if _mean_ink(strokes, i) < PALE * _mean_ink(strokes, main):
            return True
    free = margins[others].min(0) > FREE * size
    touched = margins[i] == 0
    sides = box_sizes(strokes.boxes)
    if sides[i].max() > 1.3 * sides[others].max():  # along the edge, or larger than a digit
        return bool(sides[i].min() < THIN * size and free[touched].any())
    across = np.roll(touched, 1) | np.roll(touched, -1)
    return bool(free[touched | across].all())


def _mean_ink(strokes: ConnectedComponents, i: int) -> float:
    """The mean amount of ink of piece `i`."""
    left, top, right, bottom = strokes.boxes[i]
    inside = np.s_[top:bottom, left:right]
    return float(strokes.amount[inside][strokes.labels[inside] == strokes.ids[i]].mean())
