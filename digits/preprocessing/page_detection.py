"""TODO"""

import cv2
import numpy as np

from digits.preprocessing.array_types import BoolArray, ByteArray
from digits.preprocessing.thumbnails import square_kernel

SHEET = 0.2  # of the picture: a sheet of paper on a table is larger
CORNERED = 0.88  # of the rectangle around it: what fills less has no four corners
SHADED = 0.6  # of the paper's light: in shadow there is more, and tables are darker


def page_region(thumb: ByteArray) -> BoolArray | None:
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
    whole = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, square_kernel(size))[size:-size, size:-size]
    outlines = cv2.findContours(whole.copy(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    area, sides = cv2.contourArea(outline), cv2.minAreaRect(outline)[1]
    if area < SHEET * thumb.size or area < CORNERED * sides[0] * sides[1]:
        return None
    found = cv2.drawContours(np.zeros_like(bright), [outline], -1, 1, cv2.FILLED)
    inner = cv2.erode(found, square_kernel(5), borderValue=1)
    outer = 1 - cv2.dilate(found, square_kernel(5))
    if outer.sum() < 0.02 * thumb.size or not _is_page_on_table(thumb, bright, inner, outer):
        return None
    return inner.astype(np.bool_)


def _is_page_on_table(
    thumb: ByteArray, bright: ByteArray, inner: ByteArray, outer: ByteArray
) -> bool:
    """Whether `inner` is a sheet with something on it and `outer` the table it lies on."""
    white, dark = np.median(thumb[inner > 0]), np.median(thumb[outer > 0])
    rim = (inner > 0) & (cv2.erode(inner, square_kernel(7), borderValue=1) == 0)
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
