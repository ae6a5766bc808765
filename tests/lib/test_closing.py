"""Closings are those of OpenCV, sooner."""

import cv2
import numpy as np
import pytest

from stages.lib.closing import closed, closings

SIZES = [3, 7, 17, 17, 51]


@pytest.fixture(params=[(125, 90), (40, 128), (1, 1), (5, 60)])
def picture(request):
    """Smooth noise of several shapes, also smaller than the squares."""
    noise = np.random.default_rng(0).integers(0, 256, request.param, dtype=np.uint8)
    return cv2.blur(noise, (3, 3))


def test_each_of_several_is_that_of_opencv(picture):
    """Ascending sizes, one of them twice."""
    for size, found in zip(SIZES, closings(picture, SIZES), strict=True):
        square = np.ones((size, size), np.uint8)
        assert np.array_equal(found, cv2.morphologyEx(picture, cv2.MORPH_CLOSE, square))


@pytest.mark.parametrize("size", SIZES)
def test_one_is_that_of_opencv_on_a_mirrored_picture(picture, size):
    """Mirrored by the whole square on all sides."""
    wide = cv2.copyMakeBorder(picture, size, size, size, size, cv2.BORDER_REFLECT)
    square = np.ones((size, size), np.uint8)
    expected = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, square)[size:-size, size:-size]

    assert np.array_equal(closed(picture, size), expected)
