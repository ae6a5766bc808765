"""Numbers from predictions, against values known from elsewhere."""

import numpy as np
import pytest

from stages.lib import scores


def test_the_interval_is_that_of_wilson():
    """95 of 100 give the interval that the textbooks print."""
    low, high = scores.interval(95, 100)

    assert (round(low, 4), round(high, 4)) == (0.8882, 0.9785)


def test_a_sure_and_right_model_scores_perfectly():
    """All right and sure: accuracy 1, no loss, no calibration error."""
    found = scores.score(np.eye(10) * 50, np.arange(10))

    assert (found.n, found.accuracy) == (10, 1.0)
    assert found.loss == pytest.approx(0, abs=1e-9)
    assert found.ece == pytest.approx(0, abs=1e-9)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    """A model that is 90 % sure and right in half the cases is off by 0.4."""
    probabilities = np.tile([0.9, 0.1], (10, 1))
    labels = np.array([0] * 5 + [1] * 5)

    assert scores.calibration_error(scores.reliability(probabilities, labels)) == pytest.approx(0.4)


def test_scores_per_class_count_both_kinds_of_mistake():
    """Precision looks along the predicted class, recall along the true one."""
    rows = scores.per_class(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), ["a", "b"])

    assert rows[0] == {"class": "a", "precision": 1.0, "recall": 0.5, "f1": 0.666667, "n": 2}
    assert rows[1]["precision"] == pytest.approx(2 / 3, abs=1e-6)
