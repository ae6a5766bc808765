"""A search, from its first trial to the comparison of its best settings with the current values.

One command leads the search. Other commands with the same storage, on this computer or another,
join it: they run trials and leave the comparison to the leading command. The steps are in
`study`, `worker_pool` and `study_results`.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from digits.project import atomic_files, code_hash, hashing, params_file, workspace
from digits.project.errors import UserError
from digits.project.progress_bar import ProgressBar
from digits.project.thread_environment import set_thread_environment
from digits.tracking import nested_runs, run_lookup, runs
from digits.tuning import (
    study,
    study_figures,
    study_notes,
    study_results,
    study_storage,
    worker_pool,
)
from digits.tuning.search_space import SearchSpace
from digits.tuning.study_storage import URL

INPUT_FILES = ("data/splits/train.npz", "data/splits/validation.npz")  # never the test images


@dataclass(frozen=True)
class TuningSearch:
    """An open study, the study that confirms its finalists, and the inputs of the workers."""

    url: URL
    study: optuna.Study
    confirmation: optuna.Study
    space: SearchSpace
    inputs: dict[str, str]  # files of training and validation images -> SHA-256
    workers: int
    leads: bool = True


def run_search(
    workers: int, address: str | None, changes: Mapping[str, Any], *, apply: bool
) -> None:
    """Run or join the search of params.yaml, and print its result.

    `address` replaces the configured storage, `changes` values of the section tune. With `apply`,
    a better setting is written into params.yaml. Raises UserError, before any trial, when
    params.yaml, the storage, `changes` or `workers` do not allow the search.
    """
    set_thread_environment()  # for the workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends in order
    values = params_file.load_params(workspace.checkout_root() / "params.yaml")
    changed = {f"tune.{name}": value for name, value in changes.items()}
    values = params_file.with_changes(values, changed, "options")
    cores = os.cpu_count() or 1
    if not 1 <= workers <= cores:
        raise UserError(f"--workers is {workers}; this computer runs 1 to {cores} workers")
    space = SearchSpace(values)
    space.to_optuna(space.current)  # raises where the space excludes the first trial
    url = study_storage.storage_url(address, values.tune.storage)
    with (
        study_storage.translate_storage_errors(url),
        study_storage.storage_lock(url, f"{values.tune.study}.lead", wait=False) as leads,
    ):
        search = open_search(space, url, workers, leads=leads)
        (_lead if leads else _join)(search, apply=apply)


def open_search(space: SearchSpace, url: URL, workers: int, *, leads: bool = True) -> TuningSearch:
    """Open the studies of a search, or create them.

    Raises UserError, and changes nothing, when images are missing or the study belongs to
    another search.
    """
    root, tune = workspace.checkout_root(), space.tune
    for path in INPUT_FILES:
        if not (root / path).is_file():
            raise UserError(f"{path} is missing; run `dvc repro split` to create it")
    inputs = {path: hashing.file_sha256(root / path) for path in INPUT_FILES}
    fingerprint = study.study_fingerprint(space) | inputs
    main = study.open_study(url, tune.study, fingerprint, tune.trials)
    main.pruner = study.build_pruner(tune, space.values.train.epochs)
    confirmation = study.open_study(url, study.confirmation_name(tune.study), fingerprint)
    confirmation.pruner = optuna.pruners.NopPruner()
    return TuningSearch(url, main, confirmation, space, inputs, workers, leads)


def _lead(search: TuningSearch, *, apply: bool) -> None:
    """Run all trials, compare the best settings, save the result, and print or apply it."""
    introduction = study_notes.introduce(search.study, search.space.tune.trials)
    enqueue_current_values(search)
    _print_progress(introduction)
    folder = workspace.state_root() / ".state" / "tune" / search.study.study_name
    with _study_run(search) as run:
        _run_trials(search, search.study, search.space.tune.trials, search.space.tune.timeout)
        candidates = _confirm(search)
        text = study_results.format_results(search.study, search.space, candidates)
        atomic_files.write_bytes(folder / "result.txt", text.encode())
        run.log_files([folder / "result.txt", *study_figures.draw_study(search.study, folder)])
        best = study_results.best_list(search.study, search.space.current)
        run.describe("Best trials", f"Accuracy on the validation images:\n{best}")
        run.log_history([(0, _metrics(search, candidates))])
    print(f"\n{text}\n\nfigures: {os.path.relpath(folder)}, and in the study's run (`digits ui`)")
    if winner := study_results.choose_winner(candidates):
        study_results.offer_change(search.space.current, winner, apply=apply)


def _print_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _metrics(search: TuningSearch, candidates: list[study_results.Candidate]) -> dict[str, float]:
    """Return the numbers of a study for its run: the best trial, the finalists, importances."""
    finished = study_results.finished_trials(search.study)
    metrics = {"validation/accuracy": float(finished[0].value or 0)} if finished else {}
    metrics |= {f"confirmed/{c.name}": c.accuracy for c in candidates}
    shares = study_figures.parameter_importances(search.study)
    return metrics | {f"importance/{key}": share for key, share in shares.items()}


def _join(search: TuningSearch, *, apply: bool) -> None:
    """Run trials of a search that another command leads, which alone compares and applies."""
    hint = "; only that one could --apply, or this one, run again at the end" if apply else ""
    text = f"joining study {search.study.study_name}, which another command began"
    print(f"{text}{hint}", flush=True)
    _run_trials(search, search.study, search.space.tune.trials, search.space.tune.timeout)
    print(study_results.best_table(search.study, search.space.current))


def enqueue_current_values(search: TuningSearch) -> None:
    """Queue the current values as a trial, unless the study has one with them."""
    current, goal = search.space.current, search.space.tune.trials
    settings = study.counted_settings(search.study)
    if current in settings:
        return
    failed = study.all_trials(search.study, optuna.trial.TrialState.FAIL)
    was_killed = any(study.stored(trial, "setting") == current for trial in failed)
    if len(settings) >= goal and not was_killed:
        text = f"study {search.study.study_name} has its {goal} trials, but none with the values"
        advice = "raise their number with --trials, or begin another study with --study"
        raise UserError(f"{text} of params.yaml; {advice}")
    study.enqueue(search.study, search.space.to_optuna(current), current, current=True)


@contextmanager
def _study_run(search: TuningSearch) -> Iterator[runs.TrackedRun]:
    """Open the study's run in MLflow, the one that it began with; end all lost runs of trials."""
    with runs.tracked_run(
        f"tune {search.study.study_name}",
        resume=search.study.user_attrs.get(study.RUN_ID_ATTRIBUTE),
        params=study.study_fingerprint(search.space),
        inputs=search.inputs,
        code=code_hash.source_hashes(Path(__file__)),
        activity="tuning",
    ) as run:
        for owner in (search.study, search.confirmation):
            owner.set_user_attr(study.RUN_ID_ATTRIBUTE, run.id)
        page = run_lookup.run_page(run.id)
        study_notes.write_notes(search.study, search.confirmation, search.space, page)
        try:
            yield run
        finally:
            lost = study.all_trials(search.study, optuna.trial.TrialState.FAIL)
            ids = [trial.user_attrs.get(study.RUN_ID_ATTRIBUTE) for trial in lost]
            nested_runs.close_lost_runs([run_id for run_id in ids if run_id])


def _run_trials(search: TuningSearch, target: optuna.Study, goal: int, timeout: float = 0) -> None:
    """Let workers run the queued trials of `target`, and new ones until it has `goal` trials."""
    values = search.space.values
    threads = max(1, values.train.threads // search.workers)
    until = time.time() + timeout if timeout else None
    alone = search.leads and search.workers == 1
    job = study.TrialJob(search.url, target, values, search.inputs, goal, threads, until, alone)
    before = printed = study.count_done(target)
    bar = ProgressBar(max(1, goal - before), "trials")

    def print_progress() -> None:
        """Update the bar on a terminal; elsewhere print a line after each trial."""
        nonlocal printed
        done = study.count_done(target)
        note = f"{done}/{goal} trials, {study_results.progress_note(target)}"
        if done > printed and not sys.stderr.isatty():
            _print_progress(note)
        printed = done
        bar.update(done - before, note)

    try:
        worker_pool.run_workers(job, search.workers, print_progress)
    finally:
        bar.clear()


def _confirm(search: TuningSearch) -> list[study_results.Candidate]:
    """Train the current values and the best other settings with other seeds."""
    space, target, seed = search.space, search.confirmation, search.space.values.train.seed
    settings = study_results.select_finalists(search.study, space.current, space.tune.finalists)
    seeds = range(seed + 1, seed + 1 + space.tune.confirm)
    if len(settings) > 1:
        seeded = [s | {study_results.SEED_KEY: n} for n in seeds for s in settings.values()]
        known = study.counted_settings(target)
        for setting in (setting for setting in seeded if setting not in known):
            study.enqueue(
                target, space.to_optuna(setting), setting, seed=setting[study_results.SEED_KEY]
            )
        _print_progress(f"the best trials and the current values, with {len(seeds)} other seeds")
        _run_trials(search, target, len(seeded))
    return study_results.load_candidates(target, settings, seeds)
