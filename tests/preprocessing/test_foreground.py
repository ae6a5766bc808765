"""The foreground's intensity is high on ink of any colour and low on its background."""

import cv2
import numpy as np
import pytest

from digits.preprocessing.foreground import extract_foreground
from tests import pages


def cross(thickness):
    """An X of strokes, 0..1, 120 x 120 pixels."""
    ink = np.zeros((120, 120), np.float32)
    cv2.line(ink, (35, 30), (85, 90), 1.0, thickness, cv2.LINE_AA)
    return cv2.line(ink, (85, 30), (35, 90), 1.0, thickness, cv2.LINE_AA)


PAIRS = {  # paper and ink, RGB
    "blue on white": ((240, 240, 235), (40, 60, 160)),
    "red on grey": ((150, 150, 150), (200, 40, 40)),
    "chalk": ((40, 55, 50), (220, 225, 215)),
    "red on green of the same grey": ((60, 150, 60), (190, 80, 80)),
    "pencil": ((215, 212, 205), (165, 165, 168)),
    "other in blue alone": ((250, 250, 250), (250, 250, 60)),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("size", [120, 600])
def test_ink_is_where_it_was_drawn(name, size):
    """For 97 % of pixels, the intensity is above the midpoint on strokes and below elsewhere."""
    ink = cross(8).repeat(size // 120, 0).repeat(size // 120, 1)
    paper, color = PAIRS[name]
    pixels = pages.page(ink, np.random.default_rng(0), paper=paper, ink=color, ramp=0.3, noise=2)
    foreground = extract_foreground(pixels)

    assert np.mean((foreground.intensity > foreground.thresholds.midpoint) == (ink > 0.5)) > 0.97


def test_a_shadow_does_not_make_ink_fainter():
    """The intensity is relative to the light that falls there."""
    pixels = np.full((120, 120, 3), 200, np.float32)
    pixels[cross(8) > 0.5] = 80
    pixels[:, :60] *= 0.7
    foreground = extract_foreground(pixels.astype(np.uint8))
    on = cross(8) > 0.9
    left, right = (foreground.intensity[:, half][on[:, half]].mean() for half in np.s_[:55, 65:])

    assert left == pytest.approx(right, rel=0.1)


def test_too_little_contrast_is_no_ink():
    """Strokes that are ten gray levels darker than the background are ignored."""
    pixels = np.full((120, 120, 3), 200, np.uint8)
    pixels[cross(8) > 0.5] = 190
    assert not extract_foreground(pixels).intensity.any()
