"""Which ink belongs to which digit.

Sizes are shares of the typical height of a digit in the picture: nothing else is known of
the pen, the paper or the camera.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.lib.ink import Ink

Ints = NDArray[np.int64]

FAINT = 0.3  # of the ink's typical amount: enough where it joins clear ink
BODY = 0.45  # of the typical height: smaller pieces of ink are no digits of their own
NEAR = 0.3  # of the typical height: how far from a digit its detached strokes may be
FREE = 0.05  # of the typical height: a margin that shows that the picture is no tight crop
AROUND = 0.35  # of the picture's edge: a piece that covers more is a frame or a shadow
HELD = 0.25  # of a frame's size: what it is drawn around is larger
RIM = 0.12  # of a frame's sides: all its ink is nearer to its edge
THIN = 0.2  # of the typical height: what lies along the picture's edge and is thinner is no digit


@dataclass(frozen=True)
class Strokes:
    """The connected pieces of ink of a picture.

    `labels` int32 [height, width]: 0 paper, i + 1 piece i.
    `boxes` [n, 4]: left, top, right, bottom; `areas` [n] in pixels.
    """

    labels: NDArray[np.int32]
    boxes: Ints
    areas: Ints


def strokes(ink: Ink) -> Strokes:
    """The pieces of clear ink, each with the faint ink that touches it."""
    clear = (ink.paper + ink.level) / 2
    faint = max(ink.paper + FAINT * (ink.level - ink.paper), ink.paper + 4 * ink.noise)
    mask = (ink.amount > min(faint, clear)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    strong = np.unique(labels[ink.amount > clear])
    strong = strong[strong > 0]
    number = np.zeros(len(stats), np.int32)
    number[strong] = np.arange(1, len(strong) + 1)
    stats = stats[strong].astype(np.int64)
    boxes = np.column_stack([stats[:, :2], stats[:, :2] + stats[:, 2:4]])
    return Strokes(number[labels], boxes, stats[:, 4])


def one(found: Strokes) -> list[Ints]:
    """All ink as one digit, but for specks and edges: its pieces; empty when there is none."""
    kept = _without_edges(found)
    if not len(kept):
        return []
    height = _typical(found, kept)
    main = kept[found.areas[kept].argmax()]
    sizes = _sizes(found.boxes[kept])
    near = _gaps(found.boxes[kept], found.boxes[[main]])[:, 0] < NEAR * height
    return [kept[(sizes > BODY * height) | near & (found.areas[kept] > 0.01 * found.areas[main])]]


def _sizes(boxes: Ints) -> Ints:
    return (boxes[:, 2:] - boxes[:, :2]).max(1)


def _typical(found: Strokes, pieces: Ints) -> float:
    """The height of most ink: the median of the pieces' heights, weighted by their areas."""
    heights = found.boxes[pieces, 3] - found.boxes[pieces, 1]
    order = np.argsort(heights)
    weights = np.cumsum(found.areas[pieces][order])
    return float(heights[order][np.searchsorted(weights, weights[-1] / 2)])


def _gaps(some: Ints, others: Ints) -> NDArray[np.float64]:
    """Distances [len(some), len(others)] between boxes, in pixels; 0 where they overlap."""
    apart = np.maximum(
        some[:, None, :2] - others[None, :, 2:], others[None, :, :2] - some[:, None, 2:]
    )
    return np.hypot(*np.moveaxis(apart.clip(min=0), -1, 0))


def _without_edges(found: Strokes) -> Ints:
    """The pieces that are no frames, shadows or neighbours cut off by the picture's edge."""
    pieces = np.arange(len(found.boxes))
    height, width = found.labels.shape
    margins = np.concatenate([found.boxes[:, :2], [width, height] - found.boxes[:, 2:]], axis=1)
    touching = margins == 0
    edge = np.concatenate([*found.labels[[0, -1]], *found.labels[:, [0, -1]].T])
    share = np.bincount(edge, minlength=len(pieces) + 1)[1:] / len(edge)
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    around = (share > AROUND) & (sides[share == 0].max(initial=0) > 0.15 * min(height, width))
    pieces = pieces[~around]
    pieces = pieces[~_frames(found, pieces)]
    size = _typical(found, pieces)
    large = (sides.max(1) > BODY * size) & (~touching.any(1) | (sides.min(1) > THIN * size))
    return np.array(
        [i for i in pieces if not _cut_off(i, sides, margins, pieces[large[pieces]], size)]
    )


def _cut_off(piece: int, sides: Ints, margins: Ints, large: Ints, size: float) -> bool:
    """Whether a piece on the picture's edge lies outside of what the picture is about."""
    others = large[large != piece]
    if (margins[piece] > 0).all() or not len(others):
        return False
    free = margins[others].min(0) > FREE * size
    touched = margins[piece] == 0
    across = np.roll(touched, 1) | np.roll(touched, -1)
    longer = sides[piece].max() > 1.3 * sides[others].max()
    if longer:
        return bool(sides[piece].min() < THIN * size and free[touched].any())
    return bool(free[touched | across].all())


def _frames(found: Strokes, pieces: Ints) -> NDArray[np.bool_]:
    """Which of `pieces` are boxes drawn around the others."""
    boxes = found.boxes[pieces]
    inside = (boxes[:, None, :2] < boxes[None, :, :2]) & (boxes[:, None, 2:] > boxes[None, :, 2:])
    holds = inside.all(2) & (_sizes(boxes)[None] > HELD * _sizes(boxes)[:, None])
    frames = np.zeros(len(pieces), np.bool_)
    for i in np.nonzero(holds.any(1))[0]:
        left, top, right, bottom = boxes[i]
        rim = int(RIM * min(right - left, bottom - top))
        middle = found.labels[top + rim : bottom - rim, left + rim : right - rim]
        frames[i] = (middle == pieces[i] + 1).sum() < RIM * found.areas[pieces[i]]
    return frames
