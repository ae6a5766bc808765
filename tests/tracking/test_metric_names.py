"""Metrics are named in groups; runs with the older names can still be read."""

import pytest

from digits.tracking import metric_names

OLDER = {
    "test/accuracy": "test_accuracy",
    "validation/loss": "validation_loss",
    "class/recall/7": "test_recall_7",
    "corruption/fog": "test_accuracy_fog",
    "model/parameters": "parameters",
    "time/training": "training_seconds",
    "time/epoch": "seconds",
}


@pytest.mark.parametrize(("name", "old"), OLDER.items())
def test_a_metric_is_read_under_its_older_name(name, old):
    """The new name counts where a run has both; a run with neither has no value."""
    assert metric_names.read_metric({old: 0.25}, name) == 0.25
    assert metric_names.read_metric({old: 0.25, name: 0.5}, name) == 0.5
    assert metric_names.read_metric({}, name) is None


def test_accuracy_is_logged_first_and_no_constant():
    """MLflow's pages begin with the first metric; the number of images is no metric."""
    scores = {"n": 10, "accuracy_interval": [0.1, 0.9], "loss": 0.2, "accuracy": 0.5}
    metrics = metric_names.score_metrics("test", scores)

    assert list(metrics) == [
        f"test/{k}" for k in ("accuracy", "accuracy_low", "accuracy_high", "loss")
    ]
    row = {"epoch": 3, "learning_rate": 0.1, "validation_accuracy": 0.5}
    assert list(metric_names.epoch_metrics(row)) == ["validation/accuracy", "train/learning_rate"]
