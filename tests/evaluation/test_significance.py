"""Two models on the same pictures: what differs by chance and what does not."""

import math

import numpy as np
import pytest

from digits.evaluation.significance import difference_interval, mcnemar_p_value


def rights(both, only_a, only_b, neither=0):
    """Which pictures a and b label rightly, from the four counts."""
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return np.array(a), np.array(b)


@pytest.mark.parametrize(
    ("only_a", "only_b", "expected"),
    [(0, 0, 1.0), (3, 3, 1.0), (0, 5, 2 / 2**5), (1, 9, 2 * (1 + 10) / 2**10)],
)
def test_p_is_the_share_of_coins_that_fall_as_unevenly(only_a, only_b, expected):
    """The exact p-value of few differences can be counted by hand, and has no side."""
    a, b = rights(100, only_a, only_b)

    assert mcnemar_p_value(a, b) == pytest.approx(expected)
    assert mcnemar_p_value(b, a) == mcnemar_p_value(a, b)


def test_the_interval_is_the_textbooks_where_that_holds():
    """With many differences the bootstrap meets the normal approximation."""
    a, b = rights(5600, 250, 150)
    n, difference = 6000, 100 / 6000
    half = 1.96 * math.sqrt((400 / n - difference**2) / n)

    assert difference_interval(a, b, seed=1) == pytest.approx(
        (difference - half, difference + half), abs=3e-4
    )
    assert difference_interval(b, a, seed=1) == pytest.approx(
        (-difference - half, half - difference), abs=3e-4
    )


def test_the_shares_of_several_seeds_are_compared_picture_by_picture():
    """A picture that more seeds of one model label rightly counts once, for that model."""
    a, b = rights(50, 4, 1)
    once, thrice = (a, b), (np.array([1 / 3, 1.0, 1.0, 0.0]), np.array([0.0, 2 / 3, 1.0, 0.0]))

    assert mcnemar_p_value(*thrice) == pytest.approx(2 / 2**2)
    assert mcnemar_p_value(*once) == mcnemar_p_value(a.astype(float), b.astype(float))
    low, high = difference_interval(*thrice, seed=1)
    assert low == 0
    assert high == pytest.approx(1 / 3)
