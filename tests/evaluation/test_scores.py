"""Scores of predictions, against values from textbooks or counted by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest

from digits.evaluation import scores


def test_the_interval_is_that_of_wilson():
    """95 of 100 give the interval of the textbooks."""
    low, high = scores.wilson_interval(95, 100)

    assert (round(low, 4), round(high, 4)) == (0.8882, 0.9785)
    for right in (0, 1, 5, 10):
        known = binomtest(right, 10).proportion_ci(method="wilson")
        assert scores.wilson_interval(right, 10) == pytest.approx((known.low, known.high))
        assert scores.wilson_interval(right, 10)[0] >= 0


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    """A confidence of 0.9 with an accuracy of 0.5 is an error of 0.4."""
    probabilities = np.tile([0.9, 0.1], (10, 1))
    curve = scores.reliability_curve(probabilities, np.array([0] * 5 + [1] * 5))

    assert scores.calibration_error(curve) == pytest.approx(0.4)
