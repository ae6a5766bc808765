"""The pictures of a study, drawn by Optuna."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import optuna
from matplotlib import pyplot
from matplotlib.ticker import MaxNLocator
from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as plots

from digits.evaluation.figures import use_plain_log_ticks
from digits.tuning.search_space import short_name
from digits.tuning.study import DONE_STATES

ERROR = "validation error, %"
STYLE: Any = {"backend": "agg", "savefig.dpi": 110, "savefig.bbox": "tight", "font.size": 10}


def draw_study(study: optuna.Study, folder: Path) -> list[Path]:
    """Write what can be drawn of `study` into `folder`; the files."""
    shown = _shown(study)
    drawings: dict[str, Callable[[], object]] = {}
    if any(not trial.constraints["pruned"] for trial in shown.trials):
        drawings["history"] = lambda: _history(shown)
        drawings["slices"] = lambda: _slices(shown)
        drawings["parallel"] = lambda: _parallel(shown)
    if parameter_importances(study):
        drawings["importances"] = lambda: _importances(study)
    return [_saved(drawn, folder / f"{name}.png") for name, drawn in drawings.items()]


def parameter_importances(study: optuna.Study) -> dict[str, float]:
    """How much each parameter matters: PED-ANOVA, Watanabe et al. 2023; empty if too early."""
    try:
        with warnings.catch_warnings(action="error"):
            return get_param_importances(study)
    except (ValueError, RuntimeError, UserWarning):
        return {}


def _saved(drawn: Callable[[], object], path: Path) -> Path:
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an axis on which all values are equal
        drawn()
        pyplot.gcf().savefig(path, metadata={"Software": None})
        pyplot.close()
    return path


def _shown(study: optuna.Study) -> optuna.Study:
    """The trials with their error in % and with short names.

    To Optuna a pruned trial has no value to be drawn; here it has that of its best epoch, and
    looks as one does that breaks a constraint.
    """
    copy = optuna.create_study(direction="minimize")
    for trial in study.get_trials(deepcopy=False, states=DONE_STATES):
        if trial.intermediate_values:
            copy.add_trial(_copied(trial))
    return copy


def _copied(trial: FrozenTrial) -> FrozenTrial:
    return optuna.create_trial(
        value=100 * (1 - max(trial.intermediate_values.values())),
        params={short_name(name): value for name, value in trial.params.items()},
        distributions={short_name(name): kind for name, kind in trial.distributions.items()},
        constraints={"pruned": float(trial.state is TrialState.PRUNED)},
    )


def _history(study: optuna.Study) -> None:
    axes = plots.plot_optimization_history(study, target_name=ERROR)
    pyplot.gcf().set_size_inches(8, 4)
    axes.set(title="Trials, grey where pruned", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    use_plain_log_ticks(axes.yaxis)
    axes.legend(["finished", "best so far"], loc="upper right")


def _slices(study: optuna.Study) -> None:
    plots.plot_slice(study, target_name=ERROR)
    figure = pyplot.gcf()
    for cell in (cell for cell in figure.axes if cell.get_xscale() == "log"):
        use_plain_log_ticks(cell.xaxis)
    figure.suptitle("Error by each parameter; darker: later; grey: pruned")


def _parallel(study: optuna.Study) -> None:
    axes = plots.plot_parallel_coordinate(study, target_name=ERROR)
    pyplot.gcf().set_size_inches(14, 5)
    axes.set_title("What each trial trained with; infeasible: pruned", y=1.1)


def _importances(study: optuna.Study) -> None:
    axes = plots.plot_param_importances(study)
    pyplot.gcf().set_size_inches(8, 4)
    axes.set_title("Importance among finished trials (PED-ANOVA)", loc="left")
