"""Typical amounts of ink from a picture's histogram."""

import numpy as np
import pytest

from stages.lib.levels import levels, median, quantile


@pytest.mark.parametrize("share", [0.002, 0.1, 0.6])
def test_paper_and_ink_are_found(share):
    """Whether ink is little or most of the picture; noise is the paper's standard deviation."""
    rng = np.random.default_rng(0)
    amount = rng.normal(20, 4, (200, 200))
    amount[rng.random((200, 200)) < share] = 150
    found = levels(np.clip(np.rint(amount), 0, 255).astype(np.uint8))

    assert found.paper == pytest.approx(20, abs=1)
    assert found.ink == pytest.approx(150, abs=3)
    assert found.half == pytest.approx(85, abs=2)
    assert found.noise == pytest.approx(4, abs=1)


def test_one_value_is_no_contrast():
    """Paper and ink do not differ."""
    found = levels(np.full((9, 9), 7, np.uint8))
    assert found.ink - found.paper < 8
    assert found.noise == 0


def test_a_large_picture_has_the_levels_of_a_small_one():
    """Only some of its rows are counted."""
    small = np.random.default_rng(0).normal(20, 4, (100, 100)).clip(0, 255).astype(np.uint8)
    small[40:44, 30:60] = 150
    assert levels(small.repeat(8, 0).repeat(8, 1)) == pytest.approx(levels(small), abs=2)


@pytest.mark.parametrize("length", [1, 2, 7, 500])
@pytest.mark.parametrize("share", [0, 0.2, 0.5, 0.9, 1])
def test_quantiles_are_those_of_numpy(length, share):
    """Also between two values."""
    values = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)
    assert quantile(values, share) == pytest.approx(np.quantile(values, share))
    assert median(values.astype(np.float32)) == np.median(values)
