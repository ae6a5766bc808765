"""Thresholds, quantiles and stroke widths are those of the images they are measured on."""

import cv2
import numpy as np
import pytest

from digits.preprocessing.stroke_width import mean_stroke_width, stroke_width
from digits.preprocessing.thresholds import estimate_thresholds, median, quantile


@pytest.mark.parametrize("share", [0.002, 0.1, 0.6])
def test_background_and_foreground_are_estimated(share):
    """The foreground may be small or most of the image; noise is the background's deviation."""
    rng = np.random.default_rng(0)
    intensity = rng.normal(20, 4, (200, 200))
    intensity[rng.random((200, 200)) < share] = 150
    levels = estimate_thresholds(np.clip(np.rint(intensity), 0, 255).astype(np.uint8))

    assert levels.background == pytest.approx(20, abs=1)
    assert levels.foreground == pytest.approx(150, abs=3)
    assert levels.midpoint == pytest.approx(85, abs=2)
    assert levels.noise == pytest.approx(4, abs=1)


@pytest.mark.parametrize("length", [1, 2, 7, 500])
@pytest.mark.parametrize("share", [0, 0.2, 0.5, 0.9, 1])
def test_quantiles_are_those_of_numpy(length, share):
    """Quantiles between two values are interpolated."""
    values = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)
    assert quantile(values, share) == pytest.approx(np.quantile(values, share))
    assert median(values.astype(np.float32)) == np.median(values)


@pytest.mark.parametrize("estimate", [stroke_width, mean_stroke_width])
@pytest.mark.parametrize("width", [2, 6, 15])
def test_stroke_width_is_measured_in_pixels(estimate, width):
    """Strokes that cross have the width of each."""
    mask = np.zeros((200, 200), np.uint8)
    cv2.rectangle(mask, (20, 60), (180, 59 + width), 1, -1)
    cv2.rectangle(mask, (60, 20), (59 + width, 180), 1, -1)
    assert abs(estimate(mask) - width) <= 1.5
