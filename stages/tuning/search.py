"""A search from its first trial to the comparison of its best with the current values.

One command leads it. Others, on machines that reach its storage too, join: they run trials,
and leave the comparison to the first.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.pruners import NopPruner
from optuna.trial import TrialState

from stages.lib import files, params, schema, stage
from stages.lib.errors import UserError
from stages.lib.progress import Progress
from stages.lib.tracking import nested, runs
from stages.tuning import outcome, pictures, pool, storage, study
from stages.tuning.outcome import Candidate
from stages.tuning.space import Setting, Space
from stages.tuning.storage import URL

READ = ("data/splits/train.npz", "data/splits/validation.npz")  # never the test pictures
CURRENT = "current values"


@dataclass(frozen=True)
class Search:
    """A study that is open, and what its workers need to know."""

    url: URL
    study: optuna.Study
    confirmation: optuna.Study
    space: Space
    inputs: dict[str, str]
    workers: int
    leads: bool = True

    @property
    def tune(self) -> schema.Tune:
        """The section of params.yaml."""
        return self.space.values.tune


def search(workers: int, address: str | None, *, apply: bool) -> None:
    """Do the search of the `tune` section to its end, compare the best, say what to change.

    `address` is that of the storage, instead of the configured one; `apply` writes what is
    better into params.yaml. Raises UserError, before anything is begun, when params.yaml,
    the storage or `workers` do not allow it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # in order
    values = params.load(files.workspace() / "params.yaml")
    space = checked(values, workers)
    url = storage.address(address, values.tune.storage)
    with (
        storage.explained(url),
        storage.lock(url, f"{values.tune.study}.lead", wait=False) as leads,
    ):
        found = begin(space, url, workers, leads=leads)
        if leads:
            _lead(found, apply=apply)
        else:
            _join(found)


def checked(values: schema.Params, workers: int) -> Space:
    """The search space; UserError when it or `workers` is not allowed."""
    cores = os.cpu_count() or 1
    if not 1 <= workers <= cores:
        raise UserError(f"--workers is {workers}; this computer runs 1 to {cores} of them")
    space = Space(values)
    space.drawn(space.current)  # the search begins there
    return space


def begin(space: Space, url: URL, workers: int, *, leads: bool = True) -> Search:
    """Open the study, made when there is none.

    Raises UserError, and changes nothing, when the data is not there or the study is one
    of another search.
    """
    root, tune = files.workspace(), space.values.tune
    for path in READ:
        if not (root / path).is_file():
            raise UserError(f"{path} is missing; `dvc repro split` makes it")
    inputs = {path: files.sha256(root / path) for path in READ}
    wanted = study.recipe(space) | inputs
    found = study.open_study(url, tune.study, wanted, tune.trials)
    found.pruner = study.pruner(tune, space.values.train.epochs)
    second = study.open_study(url, study.confirmation(tune.study), wanted)
    second.pruner = NopPruner()
    return Search(url, found, second, space, inputs, workers, leads)


def _lead(found: Search, *, apply: bool) -> None:
    queue_current(found)
    with _study_run(found) as run:
        _run(found, found.study, found.tune.trials, found.tune.timeout)
        compared = _confirm(found)
        told = outcome.told(found.study, found.space, compared)
        folder = _record(found, compared, told, run)
    print(f"\n{told}\n\npictures: {folder}; `digits ui` has them in the study's run")
    if len(compared) > 1 and (best := outcome.winner(compared)) is not compared[0]:
        outcome.offer(found.space.current, best, apply=apply)


def _join(found: Search) -> None:
    """Help a command that runs elsewhere or began earlier, and that will compare."""
    print(f"joining study {found.study.study_name}, which another command began", flush=True)
    _run(found, found.study, found.tune.trials, found.tune.timeout)
    print(outcome.best_table(found.study, found.space.current))


def queue_current(found: Search) -> None:
    """Let the study have the current values, so that it never ends below them."""
    setting, goal = found.space.current, found.tune.trials
    counted = study.counted(found.study)
    if any(trial.user_attrs.get("setting") == setting for trial in counted):
        return
    if len(counted) >= goal:
        told = f"study {found.study.study_name} has its {goal} trials, none with these values"
        raise UserError(f"{told} of params.yaml; raise tune.trials or name another study")
    _queue(found, found.study, setting, current=True)


@contextmanager
def _study_run(found: Search) -> Iterator[runs.Run]:
    """The study's run in MLflow, the one that it began with; no trial's is left running."""
    known = found.study.user_attrs.get(study.RUN)
    name = f"tune {found.study.study_name}"
    code = stage.source_hashes(Path(__file__))
    fixed = study.recipe(found.space)
    opened = runs.training_run(
        name, resume=known, params=fixed, inputs=found.inputs, code=code, activity="tuning"
    )
    with opened as run:
        for which in (found.study, found.confirmation):
            which.set_user_attr(study.RUN, run.id)
        try:
            yield run
        finally:
            lost = found.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
            nested.close([t.user_attrs[study.RUN] for t in lost if study.RUN in t.user_attrs])


def _run(found: Search, which: optuna.Study, goal: int, seconds: float = 0) -> None:
    """Let the workers do what `which` lacks of `goal` trials, and what is queued in it."""
    values = found.space.values
    threads = max(1, values.train.threads // found.workers)
    until = time.time() + seconds if seconds else None
    alone = found.leads and found.workers == 1
    job = pool.Job(found.url, which, values, found.inputs, goal, threads, until, alone)
    before = told = study.done(which)
    bar = Progress(max(1, goal - before), "trials")

    def watch() -> None:
        """Tell how far it is: a line for each trial, or on a terminal one that is drawn anew."""
        nonlocal told
        done = study.done(which)
        note = f"{done}/{goal} trials, {outcome.best(which)}"
        if done > told and not sys.stderr.isatty():
            print(note, file=sys.stderr, flush=True)
        told = done
        bar.tell(done - before, note)

    try:
        pool.run(job, found.workers, watch)
    finally:
        bar.clear()


def _confirm(found: Search) -> list[Candidate]:
    """Train the current values and the best others with other seeds; the current ones first.

    Fewer than two candidates: there was nothing to compare.
    """
    best = outcome.finalists(found.study, found.space.current, found.tune.finalists)
    named = {CURRENT: found.space.current}
    named |= {f"trial {trial.number}": trial.user_attrs["setting"] for trial in best}
    seed = found.space.values.train.seed
    seeds = range(seed + 1, seed + 1 + found.tune.confirm)
    if best:
        wanted = [{**setting, outcome.SEED: seed} for seed in seeds for setting in named.values()]
        present = [trial.user_attrs.get("setting") for trial in study.counted(found.confirmation)]
        for setting in (setting for setting in wanted if setting not in present):
            _queue(found, found.confirmation, setting)
        _run(found, found.confirmation, len(wanted))
    return outcome.candidates(found.confirmation, named, seeds)


def _queue(found: Search, which: optuna.Study, setting: Setting, **attributes: bool) -> None:
    which.enqueue_trial(found.space.drawn(setting), user_attrs={"setting": setting, **attributes})


def _record(found: Search, compared: list[Candidate], told: str, run: runs.Run) -> Path:
    """Results and pictures into the study's run, and below .state/ to be opened from there."""
    folder = files.home() / ".state" / "tune" / found.study.study_name
    files.write_bytes(folder / "result.txt", told.encode())
    run.log_files([folder / "result.txt", *pictures.draw(found.study, folder)])
    shares = pictures.importances(found.study)
    numbers = {f"importance.{key}": share for key, share in shares.items()}
    numbers |= {f"confirmed.{candidate.name}": candidate.accuracy for candidate in compared}
    run.log_history([(0, numbers)])
    return folder
