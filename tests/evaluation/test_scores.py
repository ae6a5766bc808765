"""Numbers from predictions, against values known from elsewhere."""

import numpy as np
import pytest

from digits.evaluation import scores


def test_the_interval_is_that_of_wilson():
    """95 of 100 give the interval that the textbooks print."""
    low, high = scores.wilson_interval(95, 100)

    assert (round(low, 4), round(high, 4)) == (0.8882, 0.9785)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    """A model that is 90 % sure and right in half the cases is off by 0.4."""
    probabilities = np.tile([0.9, 0.1], (10, 1))
    labels = np.array([0] * 5 + [1] * 5)

    assert scores.calibration_error(
        scores.reliability_curve(probabilities, labels)
    ) == pytest.approx(0.4)
