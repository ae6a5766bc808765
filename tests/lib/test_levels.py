"""Typical amounts of ink from a picture's histogram."""

import numpy as np
import pytest

from stages.lib.levels import levels


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
