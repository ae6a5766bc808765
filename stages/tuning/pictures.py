"""The pictures of a study, drawn from its trials."""

from pathlib import Path

import optuna
from optuna.importance import get_param_importances
from optuna.trial import TrialState

from stages.lib import study_plots
from stages.lib.schema import Range
from stages.lib.study_plots import Point
from stages.tuning.space import Space
from stages.tuning.trials import all_trials


def draw(study: optuna.Study, space: Space, folder: Path) -> tuple[list[Path], dict[str, float]]:
    """Write what can be drawn of `study` into `folder`; the files, and the importances."""
    points = _points(study)
    if not any(point.finished for point in points):
        return [], {}
    logarithmic = [k for k, s in space.searches.items() if isinstance(s, Range) and s.log]
    axes = study_plots.axes_of(points, logarithmic)
    began = next((p.error for p in points if p.setting == space.current), None)
    shares = _importances(study, space)
    names = ["history", "parallel", "slices", *(["importances"] if shares else [])]
    paths = {name: folder / f"{name}.png" for name in names}
    study_plots.history(points, began, paths["history"])
    study_plots.parallel(points, axes, paths["parallel"])
    study_plots.slices(points, axes, paths["slices"])
    if shares:
        study_plots.importances(shares, paths["importances"])
    return list(paths.values()), shares


def _points(study: optuna.Study) -> list[Point]:
    """The trials that came to something, in order."""
    done = [t for t in all_trials(study) if t.state in {TrialState.COMPLETE, TrialState.PRUNED}]
    return [
        Point(
            t.number,
            100 * (1 - max(t.intermediate_values.values())),
            t.state is TrialState.COMPLETE,
            t.user_attrs["setting"],
        )
        for t in done
        if t.intermediate_values
    ]


def _importances(study: optuna.Study, space: Space) -> dict[str, float]:
    """PED-ANOVA, Watanabe et al. 2023; empty while there are too few trials to tell.

    What is drawn for a list, its length and its entries, counts for the list.
    """
    try:
        parts = get_param_importances(study)
    except (ValueError, RuntimeError):
        return {}
    return {
        key: sum(
            share for part, share in parts.items() if part == key or part.startswith(f"{key}.")
        )
        for key in space.searches
    }
