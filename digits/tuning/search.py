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

from digits.project import atomic_files, code_hash, hashing, params_file, workspace
from digits.project.errors import UserError
from digits.project.params_schema import Params, TuneParams
from digits.project.progress_bar import ProgressBar
from digits.project.thread_environment import set_thread_environment
from digits.tracking import nested_runs, runs
from digits.tracking.runs import TrackedRun
from digits.tuning import study, study_figures, study_results, study_storage, worker_pool
from digits.tuning.search_space import SearchSpace, Setting
from digits.tuning.study_results import Candidate
from digits.tuning.study_storage import URL
from digits.tuning.trial_job import TrialJob

INPUT_FILES = ("data/splits/train.npz", "data/splits/validation.npz")  # never the test pictures
CURRENT_NAME = "current values"


@dataclass(frozen=True)
class TuningSearch:
    """A study that is open, and what its workers need to know."""

    url: URL
    study: optuna.Study
    confirmation: optuna.Study
    space: SearchSpace
    inputs: dict[str, str]
    workers: int
    leads: bool = True

    @property
    def tune(self) -> TuneParams:
        """The section of params.yaml."""
        return self.space.values.tune


def run_search(workers: int, address: str | None, *, apply: bool) -> None:
    """Do the search of the `tune` section to its end, compare the best, say what to change.

    `address` is that of the storage, instead of the configured one; `apply` writes what is
    better into params.yaml. Raises UserError, before anything is begun, when params.yaml,
    the storage or `workers` do not allow it.
    """
    set_thread_environment()  # for the workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # in order
    values = params_file.load_params(workspace.checkout_root() / "params.yaml")
    space = checked_space(values, workers)
    url = study_storage.storage_url(address, values.tune.storage)
    with (
        study_storage.translate_storage_errors(url),
        study_storage.storage_lock(url, f"{values.tune.study}.lead", wait=False) as leads,
    ):
        found = open_search(space, url, workers, leads=leads)
        if leads:
            _lead(found, apply=apply)
        else:
            _join(found)


def checked_space(values: Params, workers: int) -> SearchSpace:
    """The search space; UserError when it or `workers` is not allowed."""
    cores = os.cpu_count() or 1
    if not 1 <= workers <= cores:
        raise UserError(f"--workers is {workers}; this computer runs 1 to {cores} of them")
    space = SearchSpace(values)
    space.to_optuna(space.current)  # the search begins there
    return space


def open_search(space: SearchSpace, url: URL, workers: int, *, leads: bool = True) -> TuningSearch:
    """Open the study, made when there is none.

    Raises UserError, and changes nothing, when the data is not there or the study is one
    of another search.
    """
    root, tune = workspace.checkout_root(), space.values.tune
    for path in INPUT_FILES:
        if not (root / path).is_file():
            raise UserError(f"{path} is missing; `dvc repro split` makes it")
    inputs = {path: hashing.file_sha256(root / path) for path in INPUT_FILES}
    wanted = study.study_fingerprint(space) | inputs
    found = study.open_study(url, tune.study, wanted, tune.trials)
    found.pruner = study.build_pruner(tune, space.values.train.epochs)
    second = study.open_study(url, study.confirmation_name(tune.study), wanted)
    second.pruner = NopPruner()
    return TuningSearch(url, found, second, space, inputs, workers, leads)


def _lead(found: TuningSearch, *, apply: bool) -> None:
    enqueue_current_values(found)
    with _study_run(found) as run:
        _run_trials(found, found.study, found.tune.trials, found.tune.timeout)
        compared = _confirm(found)
        told = study_results.format_results(found.study, found.space, compared)
        folder = _record(found, compared, told, run)
    print(f"\n{told}\n\npictures: {folder}; `digits ui` has them in the study's run")
    if len(compared) > 1 and (best := study_results.choose_winner(compared)) is not compared[0]:
        study_results.offer_change(found.space.current, best, apply=apply)


def _join(found: TuningSearch) -> None:
    """Help a command that runs elsewhere or began earlier, and that will compare."""
    print(f"joining study {found.study.study_name}, which another command began", flush=True)
    _run_trials(found, found.study, found.tune.trials, found.tune.timeout)
    print(study_results.best_table(found.study, found.space.current))


def enqueue_current_values(found: TuningSearch) -> None:
    """Let the study have the current values, so that it never ends below them."""
    setting, goal = found.space.current, found.tune.trials
    counted = study.counted_trials(found.study)
    if any(trial.user_attrs.get("setting") == setting for trial in counted):
        return
    if len(counted) >= goal:
        told = f"study {found.study.study_name} has its {goal} trials, none with these values"
        raise UserError(f"{told} of params.yaml; raise tune.trials or name another study")
    _enqueue(found, found.study, setting, current=True)


@contextmanager
def _study_run(found: TuningSearch) -> Iterator[TrackedRun]:
    """The study's run in MLflow, the one that it began with; no trial's is left running."""
    known = found.study.user_attrs.get(study.RUN_ID_ATTRIBUTE)
    name = f"tune {found.study.study_name}"
    code = code_hash.source_hashes(Path(__file__))
    fixed = study.study_fingerprint(found.space)
    opened = runs.tracked_run(
        name, resume=known, params=fixed, inputs=found.inputs, code=code, activity="tuning"
    )
    with opened as run:
        for which in (found.study, found.confirmation):
            which.set_user_attr(study.RUN_ID_ATTRIBUTE, run.id)
        try:
            yield run
        finally:
            lost = found.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
            nested_runs.close_lost_runs(
                [
                    t.user_attrs[study.RUN_ID_ATTRIBUTE]
                    for t in lost
                    if study.RUN_ID_ATTRIBUTE in t.user_attrs
                ]
            )


def _run_trials(found: TuningSearch, which: optuna.Study, goal: int, seconds: float = 0) -> None:
    """Let the workers do what `which` lacks of `goal` trials, and what is queued in it."""
    values = found.space.values
    threads = max(1, values.train.threads // found.workers)
    until = time.time() + seconds if seconds else None
    alone = found.leads and found.workers == 1
    job = TrialJob(found.url, which, values, found.inputs, goal, threads, until, alone)
    before = told = study.count_done(which)
    bar = ProgressBar(max(1, goal - before), "trials")

    def watch() -> None:
        """Tell how far it is: a line for each trial, or on a terminal one that is drawn anew."""
        nonlocal told
        done = study.count_done(which)
        note = f"{done}/{goal} trials, {study_results.progress_note(which)}"
        if done > told and not sys.stderr.isatty():
            print(note, file=sys.stderr, flush=True)
        told = done
        bar.update(done - before, note)

    try:
        worker_pool.run_workers(job, found.workers, watch)
    finally:
        bar.clear()


def _confirm(found: TuningSearch) -> list[Candidate]:
    """Train the current values and the best others with other seeds; the current ones first.

    Fewer than two candidates: there was nothing to compare.
    """
    best = study_results.select_finalists(found.study, found.space.current, found.tune.finalists)
    named = {CURRENT_NAME: found.space.current}
    named |= {f"trial {trial.number}": trial.user_attrs["setting"] for trial in best}
    seed = found.space.values.train.seed
    seeds = range(seed + 1, seed + 1 + found.tune.confirm)
    if best:
        wanted = [
            {**setting, study_results.SEED_KEY: seed}
            for seed in seeds
            for setting in named.values()
        ]
        present = [
            trial.user_attrs.get("setting") for trial in study.counted_trials(found.confirmation)
        ]
        for setting in (setting for setting in wanted if setting not in present):
            _enqueue(found, found.confirmation, setting)
        _run_trials(found, found.confirmation, len(wanted))
    return study_results.load_candidates(found.confirmation, named, seeds)


def _enqueue(
    found: TuningSearch, which: optuna.Study, setting: Setting, **attributes: bool
) -> None:
    which.enqueue_trial(
        found.space.to_optuna(setting), user_attrs={"setting": setting, **attributes}
    )


def _record(found: TuningSearch, compared: list[Candidate], told: str, run: TrackedRun) -> Path:
    """Results and pictures into the study's run, and below .state/ to be opened from there."""
    folder = workspace.state_root() / ".state" / "tune" / found.study.study_name
    atomic_files.write_bytes(folder / "result.txt", told.encode())
    run.log_files([folder / "result.txt", *study_figures.draw_study(found.study, folder)])
    shares = study_figures.parameter_importances(found.study)
    numbers = {f"importance.{key}": share for key, share in shares.items()}
    numbers |= {f"confirmed.{candidate.name}": candidate.accuracy for candidate in compared}
    run.log_history([(0, numbers)])
    return folder
