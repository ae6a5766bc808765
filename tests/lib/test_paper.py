"""The paper under the ink, in any light."""

import cv2
import numpy as np
import pytest

from stages.lib import paper
from tests import pages


def strokes(thickness=5, side=120):
    """An X on nothing, 0..1."""
    ink = np.zeros((side, side), np.float32)
    cv2.line(ink, (35, 30), (85, 90), 1.0, thickness, cv2.LINE_AA)
    cv2.line(ink, (85, 30), (35, 90), 1.0, thickness, cv2.LINE_AA)
    return ink


def grey(ink, seed=0, dark=True, **conditions):
    """`ink` on paper, as a grey picture."""
    colours = (
        {"paper": [180] * 3, "ink": [60] * 3} if dark else {"paper": [60] * 3, "ink": [180] * 3}
    )
    return pages.page(ink, np.random.default_rng(seed), **colours, **conditions)[..., 1].copy()


LIGHT = {
    "even": {},
    "ramp": {"ramp": 0.4},
    "shadow": {"shadow": 0.35},
    "vignette": {"vignette": 0.4},
    "noise": {"noise": 6},
}


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("thickness", [2, 6, 14])
def test_ink_is_told_from_paper(name, dark, thickness):
    """Of either polarity, in any light, with any pen."""
    for seed in range(4):
        thumb = grey(strokes(thickness), seed, dark, **LIGHT[name])
        flat = np.clip(thumb - paper.light(thumb), 0, 255).astype(np.uint8)
        assert paper.dark_ink(flat) == dark


@pytest.mark.parametrize("name", LIGHT)
def test_paper_is_what_would_be_there_without_ink(name):
    """Within a few grey levels on nearly all of the page, also where a shadow's edge is."""
    for seed in range(4):
        bare, written = (grey(ink, seed, **LIGHT[name]) for ink in (0 * strokes(), strokes()))
        off = np.abs(paper.without_ink(written).astype(int) - bare)
        assert np.mean(off < 25) > 0.93


def test_light_is_found_under_the_ink():
    """A ramp of 60 grey levels, with ink on it."""
    ramp = np.linspace(-30, 30, 120, dtype=np.float32)[None].repeat(120, 0)
    thumb = np.clip(180 + ramp - 100 * strokes(), 0, 255).astype(np.uint8)

    assert np.abs(paper.light(thumb) - ramp).max() < 3


def test_even_light_is_left_alone():
    """Ink does not count as light."""
    assert not paper.light(grey(strokes(12), noise=2)).any()


def test_a_sheet_on_a_table_is_found():
    """And a page that fills the picture is none, nor is a shadow."""
    table = np.full((120, 120), 60, np.uint8)
    table[20:100, 25:95] = 210
    table[40:80, 50:56] = 40
    inside = paper.sheet(table)

    assert inside[60, 60]
    assert not inside[5, 5]
    assert paper.sheet(grey(strokes())) is None
    assert paper.sheet(grey(strokes(), shadow=0.35)) is None


@pytest.mark.parametrize("shape", [(3, 5), (128, 128), (1000, 300), (129, 7)])
def test_a_thumbnail_is_small_and_of_the_same_shape(shape):
    """At most THUMB pixels a side; a mean stays a mean."""
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    small = paper.thumbnail(picture)

    assert max(small.shape) <= paper.THUMB
    assert small.mean() == pytest.approx(picture.mean(), abs=6)
