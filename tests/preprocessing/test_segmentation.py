"""Connected components become digits in rows."""

import cv2
import numpy as np
import pytest

from digits.preprocessing import segmentation
from digits.preprocessing.digit_extraction import glyph_components
from digits.preprocessing.foreground import Foreground
from digits.preprocessing.thresholds import estimate_thresholds


def components_of(intensity):
    """The components that may belong to digits."""
    return glyph_components(Foreground(intensity, estimate_thresholds(intensity)))


def test_the_parts_of_a_broken_digit_stay_together():
    """A five whose bar is detached, and a four in two strokes that do not meet."""
    intensity = np.zeros((200, 400), np.uint8)
    cv2.line(intensity, (60, 50), (100, 48), 200, 5)
    cv2.ellipse(intensity, (75, 110), (28, 30), 0, -120, 150, 200, 5)
    cv2.polylines(intensity, [np.array([[230, 50], [205, 110], [250, 110]])], False, 200, 5)
    cv2.line(intensity, (262, 70), (262, 150), 200, 5)
    digits = segmentation.separate_glyphs(components_of(intensity))

    assert sorted(map(len, digits)) == [2, 2]


def test_specks_belong_to_no_digit():
    """A point far from a digit is left out."""
    intensity = np.zeros((200, 400), np.uint8)
    cv2.ellipse(intensity, (100, 100), (25, 45), 0, 0, 360, 200, 6)
    cv2.circle(intensity, (300, 100), 4, 200, -1)
    components = components_of(intensity)
    (digit,) = segmentation.separate_glyphs(components)

    assert components.boxes[digit][:, 2].max() < 150


@pytest.mark.parametrize("slope", [-0.08, 0, 0.08])
def test_rows_may_slope(slope):
    """Three rows of four boxes each go up or down to the right."""
    y, x = np.mgrid[0:3, 0:4].reshape(2, -1) * [[60], [50]]
    top = (y + slope * x + 40).astype(int)
    boxes = np.stack([x, top, x + 30, top + 40], 1)

    assert segmentation.assign_rows(boxes).tolist() == [0] * 4 + [1] * 4 + [2] * 4
