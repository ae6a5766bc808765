"""Who may run which trial: exactly as many as asked for, each by one worker, none lost.

Whatever changes a trial's state happens in `turn`, so a count is right when it is taken. A
trial whose worker is gone is marked as failed and queued again, once, with what it had
drawn; it finds its checkpoint and its MLflow run again.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from stages.lib import schema
from stages.lib.tracking import lineage
from stages.tuning.space import Space
from stages.tuning.storage import FAILURES, HEARTBEAT, URL, turn

RETRIES = 1  # of a trial whose worker was killed; more and it may be the trial that kills
LOOK = 1.0  # seconds between two looks at what others are doing


class Trials:
    """The trials of one study, given out one at a time."""

    def __init__(self, url: URL, storage: RDBStorage, study: optuna.Study, space: Space) -> None:
        self._url, self._storage, self._study, self._space = url, storage, study, space
        self._distributions = space.distributions()

    def take(self, goal: int, stop: threading.Event, until: float) -> optuna.Trial | None:
        """The next trial; None when `goal` trials are done, or at `stop` or time `until`.

        When others run the last ones it waits, since they may be killed. With a `goal` of
        0 there are only the trials that were queued.
        """
        while not stop.is_set() and time.monotonic() < until:
            with turn(self._url, self._study.study_name):
                recover(self._study)
                counted = [t for t in all_trials(self._study) if t.state is not TrialState.FAIL]
                if any(t.state is TrialState.WAITING for t in counted) or len(counted) < goal:
                    return self._claim()
            if not any(t.state is TrialState.RUNNING for t in counted):
                return None
            stop.wait(LOOK)
        return None

    def _claim(self) -> optuna.Trial:
        """A queued trial, or a new one whose draws depend on the seed and its position.

        So an interrupted study goes on as it would have. A trial that was given up keeps
        its position: drawn again it would kill its workers again.
        """
        begun = [t for t in all_trials(self._study) if _begun(t)]
        position = sum("again" not in t.user_attrs for t in begun)
        self._study.sampler = _sampler(self._space.values.tune, position)
        trial = self._study.ask(self._distributions)
        if "setting" not in trial.user_attrs:
            trial.set_user_attr("setting", self._space.setting(trial.params))
        self._storage.record_heartbeat(trial._trial_id)
        trial.set_user_attr("process", lineage.process())  # last: it says that all is there
        return trial

    def settle(self, trial: optuna.Trial, state: TrialState, value: float | None = None) -> bool:
        """End a trial; False when it was taken for lost and given to another worker."""
        with turn(self._url, self._study.study_name):
            if not self._ours(trial):
                return False
            self._study.tell(trial, value, state)
            return True

    def put_back(self, trial: optuna.Trial) -> bool:
        """Let the next worker go on with a trial; False as in `settle`."""
        with turn(self._url, self._study.study_name):
            if not self._ours(trial):
                return False
            trial.set_user_attr("interrupted", True)
            self._study.tell(trial, state=TrialState.FAIL)
            return True

    def _ours(self, trial: optuna.Trial) -> bool:
        return self._storage.get_trial(trial._trial_id).state is TrialState.RUNNING

    @contextmanager
    def heartbeat(self, trial: optuna.Trial) -> Iterator[None]:
        """Show that this process lives, as long as it runs the trial."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(HEARTBEAT):
                with suppress(*FAILURES):  # the next beat may get through
                    self._storage.record_heartbeat(trial._trial_id)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def all_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Every trial as it is now."""
    return study.get_trials(deepcopy=False)


def _begun(trial: FrozenTrial) -> bool:
    """Whether it was ever more than a row that its worker died over."""
    return trial.state is not TrialState.FAIL or "setting" in trial.user_attrs


def recover(study: optuna.Study) -> None:
    """Queue again what workers that are gone have left. The caller has the turn.

    What is missing is read off the trials, so this may itself be killed at any point.
    """
    for trial in all_trials(study):
        if trial.state is TrialState.RUNNING and _abandoned(trial.user_attrs):
            study.tell(trial.number, state=TrialState.FAIL)
    optuna.storages.fail_stale_trials(study)  # those of other machines
    trials = all_trials(study)
    succeeded = {trial.user_attrs.get("again") for trial in trials}
    for trial in trials:
        if trial.state is TrialState.FAIL and trial.number not in succeeded:
            _retry(study, trial)


def _abandoned(attributes: Mapping[str, Any]) -> bool:
    """Whether a running trial's process is over, or was before it had begun."""
    return "process" not in attributes or lineage.gone(attributes["process"])


def _retry(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue a failed trial again, unless its workers were killed too often."""
    known = trial.user_attrs
    killed = int(known.get("killed", 0)) + ("interrupted" not in known)
    if "setting" in known and killed <= RETRIES:
        kept = {k: v for k, v in known.items() if k not in {"process", "interrupted"}}
        queue(study, trial, {**kept, "killed": killed, "again": trial.number})


def queue(study: optuna.Study, like: FrozenTrial, attributes: dict[str, Any]) -> None:
    """Queue a trial that has drawn what `like` has."""
    fixed = {key: value for key, value in like.system_attrs.items() if key == "fixed_params"}
    waiting = optuna.create_trial(
        state=TrialState.WAITING,
        params=like.params,
        distributions=like.distributions,
        user_attrs=attributes,
        system_attrs=fixed,
    )
    study.add_trial(waiting)


def _sampler(tune: schema.Tune, position: int) -> BaseSampler:
    seed = int(np.random.SeedSequence([tune.seed, position]).generate_state(1)[0])
    return TPESampler(seed=seed) if tune.sampler == "tpe" else RandomSampler(seed=seed)
