"""A search from its first trial to the comparison of its best: what is queued, who works."""

import os
import time
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from stages.lib import files, schema
from stages.lib.errors import UserError
from stages.tuning import outcome, storage, study
from stages.tuning.outcome import Candidate
from stages.tuning.pool import Job, Pool
from stages.tuning.progress import Progress
from stages.tuning.space import Setting, Space, plain
from stages.tuning.storage import URL
from stages.tuning.trials import all_trials, recover

READ = ("data/splits/train.npz", "data/splits/validation.npz")  # never the test pictures
CURRENT = "current values"
PARENT_PATIENCE = 60  # seconds for the command that leads to open the study's run


@dataclass(frozen=True)
class Search:
    """A study that is open, and what its workers need to know."""

    url: URL
    study: optuna.Study
    confirmation: optuna.Study
    space: Space
    inputs: dict[str, str]
    recipe: dict[str, str]
    pool: Pool

    @property
    def tune(self) -> schema.Tune:
        """The section of params.yaml."""
        return self.space.values.tune


def checked(values: schema.Params, workers: int) -> Space:
    """The search space; UserError when it or `workers` is not allowed."""
    cores = os.cpu_count() or 1
    if not 1 <= workers <= cores:
        raise UserError(f"--workers is {workers}; this computer runs 1 to {cores} of them")
    space = Space(values)
    space.drawn(space.current)  # the search begins there
    return space


def begin(space: Space, url: URL, workers: int) -> Search:
    """Open the study, made when there is none.

    Raises UserError, and changes nothing, when the data is not there or the study is one
    of another search.
    """
    inputs = _hashes()
    wanted = study.recipe(space, inputs)
    connected = storage.connect(url)
    name = space.values.tune.study
    with storage.turn(url, name):
        found = study.open_study(connected, name, wanted)
        second = study.open_study(connected, study.confirmation(name), wanted)
    return Search(url, found, second, space, inputs, wanted, Pool(workers))


def _hashes() -> dict[str, str]:
    root = files.workspace()
    for path in READ:
        if not (root / path).is_file():
            raise UserError(f"{path} is missing; `dvc repro split` makes it")
    return {path: files.sha256(root / path) for path in READ}


def explore(search: Search, parent: str | None, *, lead: bool) -> None:
    """Run the trials that the study lacks; the one that leads sees to the current values."""
    if lead:
        with storage.turn(search.url, search.study.study_name):
            recover(search.study)
            queue_current(search)
    goal = search.tune.trials
    _work(search, search.study, goal, parent, search.tune.timeout or None)


def queue_current(search: Search) -> None:
    """Let the study have the current values, so that it never ends below them."""
    setting, goal = search.space.current, search.tune.trials
    counted = [t for t in all_trials(search.study) if t.state is not TrialState.FAIL]
    if any(trial.user_attrs.get("setting") == setting for trial in counted):
        return
    if len(counted) >= goal:
        found = f"study {search.study.study_name} has its {goal} trials, none with these values"
        raise UserError(f"{found} of params.yaml; raise tune.trials or name another study")
    attributes = {"setting": setting, "current": True}
    search.study.enqueue_trial(search.space.drawn(setting), user_attrs=attributes)


def confirm(search: Search, parent: str | None) -> list[Candidate]:
    """Train the current values and the best others with other seeds; the current ones first.

    Fewer than two candidates: there was nothing to compare.
    """
    best = outcome.finalists(search.study, search.space.current, search.tune.finalists)
    named = {CURRENT: search.space.current}
    named |= {f"trial {trial.number}": trial.user_attrs["setting"] for trial in best}
    seed = search.space.values.train.seed
    seeds = range(seed + 1, seed + 1 + search.tune.confirm)
    if best:
        with storage.turn(search.url, search.confirmation.study_name):
            recover(search.confirmation)
            _queue_missing(search, list(named.values()), list(seeds))
        _work(search, search.confirmation, 0, parent)
    return outcome.candidates(search.confirmation, named, seeds)


def _queue_missing(search: Search, settings: list[Setting], seeds: list[int]) -> None:
    """Queue each setting with each seed, unless the study has them."""
    known = [t for t in all_trials(search.confirmation) if t.state is not TrialState.FAIL]
    present = [trial.user_attrs["setting"] for trial in known]
    for seed in seeds:
        for setting in settings:
            wanted = {**setting, outcome.SEED: seed}
            if wanted not in present:
                drawn = search.space.drawn(setting)
                search.confirmation.enqueue_trial(drawn, user_attrs={"setting": wanted})


def _work(
    search: Search,
    which: optuna.Study,
    goal: int,
    parent: str | None,
    seconds: float | None = None,
) -> None:
    """Let the workers do what `which` lacks of `goal` trials, and what is queued in it."""
    states = [t.state for t in all_trials(which) if t.state is not TrialState.FAIL]
    if len(states) >= goal and all(state.is_finished() for state in states):
        return
    values = search.space.values
    job = Job(
        storage=storage.secret(search.url),
        study=which.study_name,
        values=plain(values),
        inputs=search.inputs,
        goal=goal,
        threads=max(1, values.train.threads // search.pool.count),
        seconds=seconds,
        parent=parent,
    )
    progress = Progress(which, max(goal, len(states)))
    try:
        search.pool.run(job, progress)
    finally:
        progress.close()


def parent_run(search: Search) -> str | None:
    """The study's run in MLflow, opened by the command that leads."""
    until = time.monotonic() + PARENT_PATIENCE
    while time.monotonic() < until:
        found = search.study.user_attrs.get("run_id")
        if found is not None:
            return str(found)
        time.sleep(0.5)
    return None
