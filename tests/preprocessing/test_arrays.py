"""Images are averaged to smaller sizes."""

import cv2
import numpy as np
import pytest

from digits.preprocessing.arrays import downscale


@pytest.mark.parametrize("side", [400, 401, 333, 90, 50])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_downscaling_averages_over_areas(side, kind):
    """The result is that of OpenCV's area interpolation, but for rounding and a last row."""
    image = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (side, side)), (0, 0), 3)
    image = image.astype(kind)
    small = downscale(image, (50, 40))

    assert small.shape == (40, 50)
    assert small.dtype == kind
    expected = cv2.resize(image, (50, 40), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(small - expected).mean() < 1.5  # of 255


def test_a_narrow_image_can_be_downscaled():
    """A side of three pixels becomes a side of one pixel."""
    assert downscale(np.ones((800, 3), np.float32), (1, 100)).shape == (100, 1)
