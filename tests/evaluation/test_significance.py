"""Whether two models on the same images differ by more than chance."""

import math

import numpy as np
import pytest

from digits.evaluation.significance import (
    balanced_interval,
    balanced_p_value,
    difference_interval,
    mcnemar_p_value,
)


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


def test_classes_of_one_size_are_judged_as_by_mcnemar():
    """Where no image counts more than another, both tests agree, and so do the intervals."""
    a, b = correctness(both=60, only_a=24, only_b=10, neither=6)
    order = np.random.default_rng(0).permutation(100)
    labels = np.arange(100)[order] % 2
    p_value = balanced_p_value(a, b, labels, seed=1)
    assert p_value == pytest.approx(mcnemar_p_value(a, b), abs=0.01)
    assert p_value == balanced_p_value(a, b, labels, seed=1)
    expected = difference_interval(a, b, seed=1)
    assert balanced_interval(a, b, labels, seed=1) == pytest.approx(expected, abs=0.03)


def test_a_rare_class_counts_as_much_as_a_frequent_one():
    """Ten images gained of twenty outweigh ten lost of a thousand; no difference is no evidence."""
    labels = np.repeat([0, 1], [1000, 20])
    a, b = np.ones(1020, bool), np.ones(1020, bool)
    a[:10] = b[1000:1010] = False
    assert mcnemar_p_value(a, b) == 1
    assert balanced_p_value(a, b, labels, seed=1) < 0.01
    low, high = balanced_interval(a, b, labels, seed=1)
    assert 0 < low < (10 / 20 - 10 / 1000) / 2 < high
    assert balanced_p_value(a, a, labels, seed=1) == 1
