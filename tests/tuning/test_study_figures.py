"""Figures of a study can be read: labels on every axis."""

import optuna
from matplotlib import pyplot

from digits.tuning import study_figures
from tests.evaluation.test_figures import labels


def test_an_axis_of_values_that_hardly_changed_has_three_labels(tmp_path, monkeypatch):
    """Equal whole numbers and others, on a linear axis and a logarithmic one; and two neighbors."""
    study = optuna.create_study(direction="maximize")
    constant = {"train.batch_size": (128, 128), "train.epochs": (1, 1)}
    for value, views in ((0.9, 3), (0.92, 4)):
        study.enqueue_trial({"model.views": views})
        trial = study.ask()
        trial.report(value, 1)
        trial.suggest_float("train.learning_rate", 0.0013, 0.0013, log=True)
        trial.suggest_float("augment.noise", 0.25, 0.25)
        trial.suggest_int("model.views", 1, 9)
        for name, bounds in constant.items():
            trial.suggest_int(name, *bounds)
        trial.set_constraint("pruned", 0.0)
        study.tell(trial, value)
    figures = []
    monkeypatch.setattr(pyplot, "close", lambda: figures.append(pyplot.gcf()))

    shown = study_figures._error_study(study)
    study_figures._save(study_figures._parallel, shown, tmp_path / "parallel.png")
    scales = figures[0].axes[2:]
    monkeypatch.undo()
    assert len(scales) == 5
    assert [len(labels(scale.yaxis)) >= 3 for scale in scales] == [True] * 5
