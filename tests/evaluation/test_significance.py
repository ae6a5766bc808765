"""Whether two models on the same images differ by more than chance."""

import math

import numpy as np
import pytest

from digits.evaluation.significance import difference_interval, mcnemar_p_value


def correctness(both, only_a, only_b, neither=0):
    """Return which images a and b classify correctly, by the four counts."""
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return np.array(a), np.array(b)


@pytest.mark.parametrize(
    ("only_a", "only_b", "expected"),
    [(0, 0, 1.0), (3, 3, 1.0), (0, 5, 2 / 2**5), (1, 9, 2 * (1 + 10) / 2**10)],
)
def test_the_p_value_is_exact(only_a, only_b, expected):
    """It equals the share of coin tosses that are as uneven, and is symmetric."""
    a, b = correctness(100, only_a, only_b)

    assert mcnemar_p_value(a, b) == pytest.approx(expected)
    assert mcnemar_p_value(b, a) == mcnemar_p_value(a, b)


def test_the_interval_agrees_with_the_normal_approximation():
    """With many differences the bootstrap gives the interval of the textbooks."""
    a, b = correctness(5600, 250, 150)
    n, difference = 6000, 100 / 6000
    half = 1.96 * math.sqrt((400 / n - difference**2) / n)
    low, high = difference - half, difference + half

    assert difference_interval(a, b, seed=1) == pytest.approx((low, high), abs=3e-4)
    assert difference_interval(b, a, seed=1) == pytest.approx((-high, -low), abs=3e-4)


def test_shares_of_several_seeds_are_compared_image_by_image():
    """An image that more seeds of one model classify correctly counts once, for that model."""
    a, b = correctness(50, 4, 1)
    once, thrice = (a, b), (np.array([1 / 3, 1.0, 1.0, 0.0]), np.array([0.0, 2 / 3, 1.0, 0.0]))

    assert mcnemar_p_value(*thrice) == pytest.approx(2 / 2**2)
    assert mcnemar_p_value(*once) == mcnemar_p_value(a.astype(float), b.astype(float))
    low, high = difference_interval(*thrice, seed=1)
    assert low == 0
    assert high == pytest.approx(1 / 3)
