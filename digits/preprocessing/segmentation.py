"""Group connected components into digits, and digits into rows of text.

Sizes are shares of the typical height of a digit in the image, unless a comment says otherwise.
"""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from digits.preprocessing.arrays import IntArray, square_kernel
from digits.preprocessing.connected_components import ConnectedComponents, crop, weighted_median
from digits.preprocessing.frame_removal import BODY
from digits.preprocessing.stroke_width import mean_stroke_width
from digits.preprocessing.thresholds import median

NEAR = 0.3  # how far above or below a digit its detached strokes may be
CLOSE = 0.1  # how far beside a digit its detached bar may begin
SPECK = 0.01  # of the square of the height: less ink is no stroke
OVERLAP = 0.6  # of the narrower width: components that share less are beside each other
MAX_GAP = 0.12  # of the common height: how far parts of one digit may be above each other
MAX_HEIGHT = 1.5  # of a digit that is merged from several components
MAX_ASPECT = 1.2  # width per height of such a digit
TALL = 0.75  # of the common height: two components side by side that are taller are two digits
MIN_BODIES = 3  # from more, the typical height is that of a digit and not of its parts


def single_glyph(components: ConnectedComponents) -> list[IntArray]:
    """Group all components but specks into one digit: their indices; empty for no components."""
    if not len(components.ids):
        return []
    height = components.typical_height
    main = components.areas.argmax()
    sizes = components.sizes.max(1)
    near = _box_distances(components.boxes)[:, main] < NEAR * height
    large = components.areas > SPECK * components.areas[main]
    return [np.nonzero((sizes > BODY * height) | (near & large))[0]]


def separate_glyphs(components: ConnectedComponents) -> list[IntArray]:
    """Return the indices of each digit's components, without specks, points and dashes."""
    merged = _merge_broken_glyphs(components)
    hulls = enclosing_boxes(components.boxes, merged)
    heights = hulls[:, 3] - hulls[:, 1]
    areas = np.array([components.areas[members].sum() for members in merged])
    height = weighted_median(heights, areas)
    bodies = np.nonzero(heights > BODY * height)[0]
    digits = {int(b): [merged[b]] for b in bodies}
    gaps = _box_distances(hulls)
    for i in np.nonzero((heights <= BODY * height) & (areas > SPECK * height**2))[0]:
        owners = [b for b in bodies if _is_detached_stroke(hulls[i], hulls[b], height)]
        if owners:
            digits[int(min(owners, key=lambda b: gaps[i, b]))].append(merged[i])
    return [np.concatenate(members) for members in digits.values()]


def _merge_broken_glyphs(components: ConnectedComponents) -> list[IntArray]:
    """Group the components by digit: those of a broken digit together, others alone."""
    boxes, group = components.boxes, np.arange(len(components.ids))
    if len(group) < 2:
        return list(group[:, None])
    hulls, height = boxes.tolist(), components.typical_height
    bodies = components.sizes[:, 1] > BODY * height
    if bodies.sum() <= MIN_BODIES:
        height = np.inf
    cluster = _nearby_clusters(components)
    gaps = _box_distances(boxes)
    candidates = (cluster[:, None] == cluster[None]) | (bodies[:, None] & bodies[None])
    first, second = np.nonzero(np.triu(candidates, 1))
    for k in np.argsort(gaps[first, second], kind="stable"):
        i, j = group[first[k]], group[second[k]]
        close = cluster[first[k]] == cluster[second[k]]
        if i != j and _belong_together(hulls[i], hulls[j], height, close):
            hulls[i] = enclosing_box(np.array([hulls[i], hulls[j]])).tolist()
            group[group == j] = i
    return [np.nonzero(group == g)[0] for g in sorted(set(group.tolist()))]


def _nearby_clusters(components: ConnectedComponents) -> IntArray:
    """Number the components [n]; those nearer to each other than a stroke width share a number."""
    box = enclosing_box(components.boxes)
    labels = crop(components.labels, box)
    is_component = np.zeros(labels.max() + 1, np.uint8)
    is_component[components.ids] = 1
    mask = is_component[labels]
    size = 2 * int(mean_stroke_width(mask) / 2 + 0.5) + 1
    near = cv2.connectedComponents(cv2.dilate(mask, square_kernel(size)))[1]
    rows = components.boxes[:, 1] - box[1]  # a component has a pixel in the first row of its box
    columns = [int((labels[y] == i).argmax()) for y, i in zip(rows, components.ids, strict=True)]
    return near[rows, columns].astype(np.int64)


def _belong_together(a: list[int], b: list[int], height: float, close: bool) -> bool:
    """Return whether components within the boxes `a` and `b` are parts of one digit.

    `close`: their strokes nearly meet. Lists, because NumPy is slow for two boxes, and each
    pair of components is tested.
    """
    width = max(a[2], b[2]) - min(a[0], b[0])
    tall = max(a[3], b[3]) - min(a[1], b[1])
    if tall > MAX_HEIGHT * height:
        return False
    shared = min(a[2], b[2]) - max(a[0], b[0])
    stacked = shared > OVERLAP * min(a[2] - a[0], b[2] - b[0])
    if not close:
        return stacked and max(a[1], b[1]) - min(a[3], b[3]) < MAX_GAP * tall
    beside = not stacked and min(a[3] - a[1], b[3] - b[1]) > TALL * tall
    return width < MAX_ASPECT * tall and not beside


def _is_detached_stroke(part: IntArray, digit: IntArray, height: float) -> bool:
    """Return whether a small component is a detached stroke of a digit, by their boxes."""
    shared = min(part[2], digit[2]) - max(part[0], digit[0])
    gap = max(part[1], digit[1]) - min(part[3], digit[3])
    stacked = shared > 0.4 * (part[2] - part[0])
    # the bar of a five begins where its body ends, at the top; points stand at the bottom
    bar = -shared < CLOSE * height and part[3] < (digit[1] + digit[3]) / 2
    return bool((stacked or bar) and gap < NEAR * height)


def _box_distances(boxes: IntArray) -> NDArray[np.float64]:
    """Return the distances between the boxes: [n, n] pixels, 0 where they overlap."""
    some, others = boxes[:, None], boxes[None]
    apart = np.maximum(some[..., :2] - others[..., 2:], others[..., :2] - some[..., 2:]).clip(0)
    return np.hypot(apart[..., 0], apart[..., 1])


def enclosing_box(boxes: IntArray) -> IntArray:
    """Return the box around all `boxes` [n, 4]."""
    return np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])


def enclosing_boxes(boxes: IntArray, groups: Iterable[IntArray]) -> IntArray:
    """Return the box around each group of `boxes`, given by indices: [groups, 4]."""
    return np.array([enclosing_box(boxes[g]) for g in groups], np.int64).reshape(-1, 4)


def assign_rows(boxes: IntArray) -> IntArray:
    """Return the row of each of `boxes` [n, 4], from 0 at the top; rows may slope."""
    if len(boxes) < 2:
        return np.zeros(len(boxes), np.int64)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    height = median(boxes[:, 3] - boxes[:, 1])
    level = y - _row_slope(x, y, height) * x
    order = np.argsort(level)
    row = np.empty(len(boxes), np.int64)
    row[order] = np.cumsum(np.diff(level[order], prepend=level[order[0]]) > 0.5 * height)
    return row


def _row_slope(x: NDArray[np.float64], y: NDArray[np.float64], height: float) -> float:
    """Return the median slope from each digit to the next, in pixels down per pixel right."""
    across, down = x[None] - x[:, None], y[None] - y[:, None]
    across = np.where((across > 0) & (np.abs(down) < 0.6 * height), across, np.inf)
    following = across.argmin(1)
    steps = np.nonzero(np.isfinite(across.min(1)))[0]
    slopes = down[steps, following[steps]] / across[steps, following[steps]]
    return median(slopes) if len(slopes) else 0.0
