"""Detect a page that lies on a darker table; the page's own content is not looked at here."""

import cv2
import numpy as np

from digits.preprocessing.arrays import BoolArray, ByteArray, square_kernel
from digits.preprocessing.thresholds import quantile

MIN_AREA = 0.2  # of the image: a page is larger
MIN_RECTANGULARITY = 0.88  # of its minimum-area rectangle: a page fills more
MAX_TABLE_BRIGHTNESS = 0.6  # of the page's: shadows are brighter, and tables are darker


def page_region(thumb: ByteArray) -> BoolArray | None:
    """Return the mask of the page in a gray thumbnail, or None if no table surrounds a page.

    A page is bright, large and rectangular, has a sharp edge with nothing on it, and shows more
    than one edge: a single edge would be a shadow's.
    """
    bright = cv2.threshold(thumb, 0, 1, cv2.THRESH_OTSU)[1]
    if all(edge.all() for edge in (bright[0], bright[-1], bright[:, 0], bright[:, -1])):
        return None  # the usual image: no table around
    size = max(thumb.shape) // 16 | 1
    # padded, so that the closing keeps narrow margins
    wide = cv2.copyMakeBorder(bright, size, size, size, size, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, square_kernel(size))[size:-size, size:-size]
    contours = cv2.findContours(closed.copy(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    if not contours:
        return None
    contour = max(contours, key=cv2.contourArea)
    area, sides = cv2.contourArea(contour), cv2.minAreaRect(contour)[1]
    if area < MIN_AREA * thumb.size or area < MIN_RECTANGULARITY * sides[0] * sides[1]:
        return None
    page = cv2.drawContours(np.zeros_like(bright), [contour], -1, 1, cv2.FILLED)
    inner = cv2.erode(page, square_kernel(5), borderValue=1)
    outer = 1 - cv2.dilate(page, square_kernel(5))
    if outer.sum() < 0.02 * thumb.size or not _is_on_table(thumb, bright, inner, outer):
        return None
    return inner.astype(np.bool_)


def _is_on_table(thumb: ByteArray, bright: ByteArray, inner: ByteArray, outer: ByteArray) -> bool:
    """Return whether `inner` looks like a page with something on it, and `outer` like a table."""
    white, dark = quantile(thumb, 0.5, inner), quantile(thumb, 0.5, outer)
    rim = (inner > 0) & (cv2.erode(inner, square_kernel(7), borderValue=1) == 0)
    edge = (inner == 0) & (outer == 0)
    blurred = np.abs(thumb[edge] - (dark + white) / 2.0) < 0.25 * (white - dark)
    hull = cv2.contourArea(cv2.convexHull(cv2.findNonZero(outer)))
    return bool(
        dark < MAX_TABLE_BRIGHTNESS * white
        and blurred.mean() < 0.3
        and outer.sum() < 0.9 * hull
        and bright[outer > 0].mean() < 0.1
        and bright[rim].mean() > 0.95
        and 0.7 < bright[inner > 0].mean() < 0.998
    )
