"""Search for better values of params.yaml with Optuna, scored on the validation pictures.

    digits tune --workers 2

Stopped in any way, the same command goes on. On another machine, with a storage that both
reach, it joins the search.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from optuna.trial import TrialState

from stages.lib import files, params, stage
from stages.lib.errors import UserError, guarded
from stages.lib.table import aligned
from stages.lib.tracking import nested, runs
from stages.tuning import outcome, pictures, rewrite, search
from stages.tuning import storage as storing
from stages.tuning.outcome import Candidate
from stages.tuning.search import Search
from stages.tuning.trials import all_trials


def tune(workers: int = 1, storage: str | None = None, *, apply: bool = False) -> None:
    """Do the search of the `tune` section to its end, compare the best, say what to change.

    `storage` is its address, instead of the configured one; `apply` writes what is better
    into params.yaml. Raises UserError, before anything is begun, when params.yaml, the
    storage or `workers` do not allow it.
    """
    signal.signal(signal.SIGTERM, _terminate)
    values = params.load(files.workspace() / "params.yaml")
    space, name = search.checked(values, workers), values.tune.study
    url = storing.address(storage, values.tune.storage)
    with storing.explained(url), storing.alone(url, f"{name}.lead") as leads:
        found = search.begin(space, url, workers)
        if leads:
            _lead(found, apply=apply)
        else:
            _join(found)


def _lead(found: Search, *, apply: bool) -> None:
    with _study_run(found) as run:
        with found.pool:
            search.explore(found, run.id, lead=True)
            compared = search.confirm(found, run.id)
        told = _told(found, compared)
        folder = _record(found, compared, told, run)
    print(f"\n{told}\n\npictures: {folder}; `digits ui` has them in the study's run")
    if len(compared) > 1 and (best := outcome.winner(compared)) is not compared[0]:
        _offer(found, best, apply=apply)


def _join(found: Search) -> None:
    """Help a command that runs elsewhere or began earlier, and that will compare."""
    print(f"joining study {found.study.study_name}, which another command began", flush=True)
    with found.pool:
        search.explore(found, search.parent_run(found), lead=False)
    print(outcome.best_table(found.study, found.space.current))


@contextmanager
def _study_run(found: Search) -> Iterator[runs.Run]:
    """The study's run in MLflow, the one that it began with."""
    known = found.study.user_attrs.get("run_id")
    name = f"tune {found.study.study_name}"
    code = stage.source_hashes(Path(__file__))
    fixed = {key: value for key, value in found.recipe.items() if key not in found.inputs}
    opened = runs.training_run(
        name, resume=known, params=fixed, inputs=found.inputs, code=code, activity="tuning"
    )
    with opened as run:
        found.study.set_user_attr("run_id", run.id)
        try:
            yield run
        finally:
            lost = [t for t in all_trials(found.study) if t.state is TrialState.FAIL]
            nested.close([t.user_attrs["run_id"] for t in lost if "run_id" in t.user_attrs])


def _told(found: Search, compared: list[Candidate]) -> str:
    """What a person wants to know in the end."""
    tune, current = found.tune, found.space.current
    parts = [outcome.best_table(found.study, current)]
    share = outcome.saved_time(found.study)
    if share is not None:
        parts.append(f"pruning: {share:.0%} of the time of training every trial to the end")
    if len(compared) > 1:
        seed = found.space.values.train.seed
        parts.append(outcome.comparison_table(compared, tune.confirm, seed))
        parts.append(outcome.CAVEAT)
    if len(compared) < 2 or outcome.winner(compared) is compared[0]:
        parts.append("nothing better was found; params.yaml stays as it is")
    return "\n\n".join(parts)


def _record(found: Search, compared: list[Candidate], told: str, run: runs.Run) -> Path:
    """Results and pictures into the study's run, and below .state/ to be opened from there."""
    folder = files.home() / ".state" / "tune" / found.study.study_name
    files.write_bytes(folder / "result.txt", told.encode())
    written, shares = pictures.draw(found.study, found.space, folder)
    run.log_files([folder / "result.txt", *written])
    numbers = {f"importance.{key}": share for key, share in shares.items()}
    numbers |= {f"confirmed.{candidate.name}": candidate.accuracy for candidate in compared}
    run.log_history([(0, numbers), *outcome.best_so_far(found.study)])
    return folder


def _offer(found: Search, best: Candidate, *, apply: bool) -> None:
    """Write the winner into params.yaml, or say what that would change."""
    path, current = files.workspace() / "params.yaml", found.space.current
    changed = {key: value for key, value in best.setting.items() if value != current[key]}
    if apply:
        _unchanged(found, path)
        rewrite.rewrite(path, changed)
    rows = [[k, rewrite.written(current[k]), rewrite.written(v)] for k, v in changed.items()]
    print(f"\n{best.name} is better; params.yaml {'is changed' if apply else 'would change'}:")
    print(aligned(["", "from", "to"], rows))
    if apply:
        print("\n`dvc repro` trains, evaluates and registers it")
    else:
        print(f"\n`digits tune --apply` writes that; to try it alone:\n{rewrite.command(changed)}")


def _unchanged(found: Search, path: Path) -> None:
    """Raise UserError when somebody has changed a searched value meanwhile."""
    now = found.space.setting_of(params.load(path))
    for key, value in found.space.current.items():
        if now[key] != value:
            told = f"{path} has had another {key} since this began"
            raise UserError(f"{told}; nothing was written, run the command again to compare")


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End by an exception, so that workers and runs are seen to."""
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    import typer

    sys.exit(guarded("tune", lambda: typer.run(tune)))
