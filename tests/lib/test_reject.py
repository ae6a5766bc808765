"""When an answer is doubtful."""

import numpy as np

from stages.lib.reject import DOUBTFUL, doubtful


def test_the_largest_probability_decides():
    """Below the threshold is doubtful, at it is not."""
    rows = np.array([[DOUBTFUL - 0.01, 0.11, 0], [DOUBTFUL, 0.1, 0], [0, 0, 1]], np.float32)
    assert doubtful(rows).tolist() == [True, False, False]


def test_no_digits_have_no_doubts():
    """An empty page."""
    assert doubtful(np.zeros((0, 10), np.float32)).shape == (0,)
