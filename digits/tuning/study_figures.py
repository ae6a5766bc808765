"""The figures of a study, drawn by Optuna; the texts are in `study_results`."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import optuna
from matplotlib import pyplot, ticker
from matplotlib.axes import Axes
from optuna.distributions import IntDistribution
from optuna.trial import TrialState
from optuna.visualization import matplotlib as plots

from digits.evaluation.figures import put_legend_above, use_plain_log_ticks
from digits.tuning.search_space import short_name
from digits.tuning.study import DONE_STATES, all_trials

ERROR = "validation error, %"
STYLE: Any = {"backend": "agg", "savefig.dpi": 110, "savefig.bbox": "tight", "font.size": 10}


def draw_study(study: optuna.Study, folder: Path) -> list[Path]:
    """Write the figures for which `study` has enough trials into `folder`; return their paths."""
    shown = _error_study(study)
    drawings: dict[str, Callable[[optuna.Study], None]] = {}
    if any(not trial.constraints["pruned"] for trial in shown.trials):
        drawings = {"history": _history, "slices": _slices, "parallel": _parallel}
    paths = [_save(draw, shown, folder / f"{name}.png") for name, draw in drawings.items()]
    if parameter_importances(study):
        paths.append(_save(_importances, study, folder / "importances.png"))
    return paths


def parameter_importances(study: optuna.Study) -> dict[str, float]:
    """The share of each parameter by PED-ANOVA (Watanabe et al. 2023); empty if too early."""
    try:
        with warnings.catch_warnings(action="error"):
            return optuna.importance.get_param_importances(study)
    except (ValueError, RuntimeError, UserWarning):
        return {}


def _save(draw: Callable[[optuna.Study], None], study: optuna.Study, path: Path) -> Path:
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an axis on which all values are equal
        draw(study)
        pyplot.gcf().savefig(path, metadata={"Software": None})
        pyplot.close()
    return path


def _error_study(study: optuna.Study) -> optuna.Study:
    """Copy the done trials, with errors in % as values and short names of parameters.

    Optuna draws no pruned trial, since it has no value. In the copy a pruned trial has the
    value of its best epoch and breaks a constraint, so that it is drawn in grey.
    """
    copy = optuna.create_study(direction="minimize")
    for trial in all_trials(study, *DONE_STATES):
        if trial.intermediate_values:
            shown = optuna.create_trial(
                value=100 * (1 - max(trial.intermediate_values.values())),
                params={short_name(name): value for name, value in trial.params.items()},
                distributions={short_name(key): kind for key, kind in trial.distributions.items()},
                constraints={"pruned": float(trial.state is TrialState.PRUNED)},
            )
            copy.add_trial(shown)
    return copy


def _history(study: optuna.Study) -> None:
    axes = plots.plot_optimization_history(study, target_name=ERROR)
    pyplot.gcf().set_size_inches(8, 4)
    axes.set(yscale="log", xlim=(-0.5, max(2.5, len(study.trials) - 0.5)))
    axes.set_title("")
    axes.xaxis.set_major_locator(ticker.MaxNLocator("auto", integer=True))
    use_plain_log_ticks(axes.yaxis)
    put_legend_above(axes, "Trials, grey where pruned", labels=["finished", "best so far"])


def _slices(study: optuna.Study) -> None:
    plots.plot_slice(study, target_name=ERROR)
    figure = pyplot.gcf()
    for axes in (axes for axes in figure.axes if axes.get_xscale() == "log"):
        use_plain_log_ticks(axes.xaxis)
        axes.tick_params("x", rotation=45)
    figure.suptitle("Error by each parameter; darker: later; grey: pruned")


def _parallel(study: optuna.Study) -> None:
    axes = plots.plot_parallel_coordinate(study, target_name=ERROR)
    figure = pyplot.gcf()
    figure.set_size_inches(14, 5)
    axes.set_title("")
    axes.set_title("What each trial trained with", loc="left", y=1.03)
    legend = axes.get_legend()
    assert legend is not None  # since some trials are marked as pruned, and others as not
    for text, label in zip(legend.get_texts(), ("finished", "pruned"), strict=True):
        text.set_text(label)
    distributions = {k: kind for trial in study.trials for k, kind in trial.distributions.items()}
    names = [label.get_text() for label in axes.get_xticklabels()[1:]]
    for name, scale in zip(names, figure.axes[2:], strict=True):  # after its own and the colors'
        _widen_narrow(scale, [trial.params.get(name) for trial in study.trials])
        if scale.get_yscale() == "log":
            use_plain_log_ticks(scale.yaxis)
        elif isinstance(distributions[name], IntDistribution):
            scale.yaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))


def _widen_narrow(axes: Axes, values: list[Any]) -> None:
    """Let the axis of a number that all trials share, or of two neighbors, reach further."""
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return
    low, high = min(values), max(values)
    if high - low > isinstance(low, int):
        return
    if axes.get_yscale() == "log":
        axes.set_ylim(low / 2, high * 2)
    else:
        reach = max(1, abs(low) / 2) if isinstance(low, int) else abs(low) / 2 or 0.5
        axes.set_ylim(low - reach, high + reach)


def _importances(study: optuna.Study) -> None:
    axes = plots.plot_param_importances(study)
    pyplot.gcf().set_size_inches(8, 4)
    axes.legend().remove()  # all bars are the same
    axes.set_title("Importance among finished trials (PED-ANOVA)", loc="left")
