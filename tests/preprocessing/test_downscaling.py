"""Pictures made smaller by averaging."""

import cv2
import numpy as np
import pytest

from digits.preprocessing.downscaling import downscale


@pytest.mark.parametrize("side", [400, 401, 333, 90, 50])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_it_is_the_mean_over_areas(side, kind):
    """As OpenCV's own, which takes longer: but for rounding, and a last row at most."""
    picture = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (side, side)), (0, 0), 3)
    picture = picture.astype(kind)
    found = downscale(picture, (50, 40))

    assert found.shape == (40, 50)
    assert found.dtype == kind
    expected = cv2.resize(picture, (50, 40), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(found - expected).mean() < 1.5  # of 255


def test_it_may_be_narrow():
    """One pixel is left of a side that becomes one."""
    assert downscale(np.ones((800, 3), np.float32), (1, 100)).shape == (100, 1)
