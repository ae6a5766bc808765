"""Remove components that are frames, and those that the image's border cuts off.

Sizes are shares of the typical height of the components, unless a comment says otherwise.
Printed lines are removed before components are found, in `line_removal`.
"""

import numpy as np

from digits.preprocessing.arrays import BoolArray
from digits.preprocessing.connected_components import ConnectedComponents, crop

BODY = 0.45  # smaller components are parts of digits or noise, not whole digits
MIN_MARGIN = 0.05  # a wider margin shows that the image is no tight crop
BORDER_COVERAGE = 0.35  # of the border's length: a frame or a shadow covers more
BORDER_CROSSINGS = 6  # a digit's strokes leave the image less often, printed lines more often
CONTENT_SIZE = 0.25  # of a frame's size: the content of a frame is larger
RIM = 0.12  # of a frame's sides: all its ink is nearer to its edge
MIN_THICKNESS = 0.2  # a thinner component along the border is no digit
SHADOW_INTENSITY = 0.7  # of the other ink's: a component on the border with less is a shadow


def remove_frames(components: ConnectedComponents) -> ConnectedComponents:
    """Remove components that cover the border, and boxes drawn around other components."""
    labels, boxes, ids = components.labels, components.boxes, components.ids
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    share = np.bincount(border, minlength=ids.max(initial=0) + 1)[ids] / len(border)
    sizes = components.sizes.max(1)
    inner = sizes[share == 0].max(initial=0)
    frame = (share > BORDER_COVERAGE) & (inner > 0.15 * min(labels.shape))
    inside = (boxes[:, None, :2] < boxes[None, :, :2]) & (boxes[:, None, 2:] > boxes[None, :, 2:])
    encloses = (inside.all(2) & (sizes[None] > CONTENT_SIZE * sizes[:, None])).any(1)
    for i in np.nonzero(share)[0]:
        on = border == ids[i]
        frame[i] |= np.count_nonzero(on[1:] > on[:-1]) > BORDER_CROSSINGS
    for i in np.nonzero(encloses & ~frame)[0]:
        rim = int(RIM * components.sizes[i].min())
        middle = crop(labels, boxes[i] + [rim, rim, -rim, -rim])
        frame[i] = (middle == ids[i]).sum() < RIM * components.areas[i]
    return components.only(~frame)


def remove_border_components(components: ConnectedComponents) -> ConnectedComponents:
    """Remove shadows, table edges and neighboring digits that the image's border cuts off."""
    touching = (components.margins == 0).any(1)
    sides, size = components.sizes, components.typical_height
    large = (sides.max(1) > BODY * size) & (~touching | (sides.min(1) > MIN_THICKNESS * size))
    inside = np.ones(len(touching), np.bool_)
    for i in map(int, np.nonzero(touching)[0]):
        others = large & (np.arange(len(large)) != i)
        if others.any():
            inside[i] = not _is_cut_off(components, i, others)
    return components.only(inside)


def _is_cut_off(components: ConnectedComponents, i: int, others: BoolArray) -> bool:
    """Return whether component `i`, on the border, is no part of what the image shows.

    `others` [n] is the mask of the components to compare it with.
    """
    margins, sides, size = components.margins, components.sizes, components.typical_height
    inner = others & (margins > 0).all(1)
    if inner.any():
        main = np.nonzero(inner)[0][components.areas[inner].argmax()]
        if _mean_intensity(components, i) < SHADOW_INTENSITY * _mean_intensity(components, main):
            return True
    free = margins[others].min(0) > MIN_MARGIN * size
    touched = margins[i] == 0
    if sides[i].max() > 1.3 * sides[others].max():  # along the border, or larger than a digit
        return bool(sides[i].min() < MIN_THICKNESS * size and free[touched].any())
    across = np.roll(touched, 1) | np.roll(touched, -1)
    return bool(free[touched | across].all())


def _mean_intensity(components: ConnectedComponents, i: int) -> float:
    """Return the mean intensity on component `i`."""
    on = crop(components.labels, components.boxes[i]) == components.ids[i]
    return float(crop(components.intensity, components.boxes[i])[on].mean())
