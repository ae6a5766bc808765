"""The study: what it maximises, how it draws and prunes, which of its trials are to be run."""

from collections import Counter
from contextlib import suppress
from datetime import datetime
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from digits.project.errors import UserError
from digits.project.params_schema import TuneParams
from digits.tracking import run_context
from digits.tuning.search_space import SECTIONS, SearchSpace, plain_values
from digits.tuning.study_storage import GRACE_SECONDS, URL, connect_storage

METRIC = "validation_accuracy"  # of the epoch whose weights are kept, as in `train`
MAXIMIZE = StudyDirection.MAXIMIZE
DONE_STATES = (TrialState.COMPLETE, TrialState.PRUNED)
FINGERPRINT_ATTRIBUTE = "recipe"
RUN_ID_ATTRIBUTE = "run_id"  # of a study or a trial in MLflow
# Asynchronous successive halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter
# Tuning"): at FIRST of all epochs, and each time that REDUCTION times as many are done, a trial
# goes on if it is among the best 1/REDUCTION of all that came as far. To compare with finished
# trials alone, as a percentile does, took 53 % of the time of training each to the end with the
# upper half, and let hardly any through with the upper quarter.
FIRST_RUNG, REDUCTION = 0.15, 3


def confirmation_name(name: str) -> str:
    """The study of the finalists on other seeds; no person can give a study this name."""
    return f"{name}:confirm"


def study_fingerprint(space: SearchSpace) -> dict[str, str]:
    """What makes two studies comparable, as dotted keys: the search and all it leaves alone."""
    values = {name: plain_values(space.values)[name] for name in SECTIONS}
    if "model.kind" not in space.searches:
        values["model"].pop("cnn" if values["model"]["kind"] == "mlp" else "mlp")
    fixed = run_context.flatten_params(values)
    for key in (*space.searches, "train.threads", "train.device"):
        fixed.pop(key, None)
    searched = plain_values(space.values)["tune"]["space"]
    return fixed | run_context.flatten_params({"metric": METRIC, "tune.space": searched})


def open_study(url: URL, name: str, wanted: dict[str, str], goal: int = 0) -> optuna.Study:
    """The study `name`, made when there is none; `goal` is the number of its trials.

    Raises UserError when there is one of another search, or an unfinished one of version 1;
    it is left as it is.
    """
    storage = connect_storage(url)
    found = optuna.create_study(
        storage=storage, study_name=name, direction=MAXIMIZE, load_if_exists=True
    )
    if not found.trials and not found.user_attrs and found.directions == [MAXIMIZE]:
        found.set_user_attr(
            FINGERPRINT_ATTRIBUTE, wanted | {"version": "2"}
        )  # those of version 1 have none
    _compare(found, wanted, goal)
    return found


def _compare(found: optuna.Study, wanted: dict[str, str], goal: int) -> None:
    other = "give tune.study another name for another search"
    if found.directions != [MAXIMIZE] or FINGERPRINT_ATTRIBUTE not in found.user_attrs:
        raise UserError(f"study {found.study_name} was not made by this command; {other}")
    known: dict[str, str] = found.user_attrs[FINGERPRINT_ATTRIBUTE]
    if "version" not in known and (
        count_unclaimed(found, goal) or count_states(found)[TrialState.RUNNING]
    ):
        told = f"study {found.study_name} is an unfinished one of version 1, which alone goes on"
        raise UserError(f"{told} with it; {other}, or end it with that version")
    known.pop("version", None)
    for key in sorted(known.keys() | wanted.keys()):
        was, now = (values.get(key, "absent") for values in (known, wanted))
        if was != now:
            told = f"study {found.study_name} was begun with {key} {was}, now it is {now}"
            raise UserError(f"{told}; {other}, or set it back")


def build_pruner(tune: TuneParams, epochs: int) -> BasePruner:
    """What ends trials early, for trainings of `epochs` epochs."""
    if tune.pruner == "none":
        return NopPruner()
    first = max(1, round(FIRST_RUNG * epochs))
    return SuccessiveHalvingPruner(min_resource=first, reduction_factor=REDUCTION)


def build_sampler(found: optuna.Study, tune: TuneParams, worker: int) -> BaseSampler:
    """What draws the next trial; its draws depend on the seed and the trial's position.

    So with one worker an interrupted study goes on as it would have. A trial that was given
    up keeps its position: drawn again it would kill its workers again. `worker` is a number
    that differs from worker to worker, since two may be at one position.
    """
    position = sum("failed_trial" not in trial.system_attrs for trial in all_trials(found))
    seed = int(np.random.SeedSequence([tune.seed, position, worker]).generate_state(1)[0])
    return TPESampler(seed=seed) if tune.sampler == "tpe" else RandomSampler(seed=seed)


def all_trials(found: optuna.Study) -> list[FrozenTrial]:
    """Every trial as it is now."""
    return found.get_trials(deepcopy=False)


def counted_trials(found: optuna.Study) -> list[FrozenTrial]:
    """Those that were not given up."""
    return [trial for trial in all_trials(found) if trial.state is not TrialState.FAIL]


def count_states(found: optuna.Study) -> Counter[TrialState]:
    """How many trials are in each state."""
    return Counter(trial.state for trial in all_trials(found))


def count_done(found: optuna.Study) -> int:
    """How many trials were finished or pruned."""
    return sum(count_states(found)[state] for state in DONE_STATES)


def count_unclaimed(found: optuna.Study, goal: int) -> int:
    """How many trials are still to be begun, of `goal` and of those that are queued."""
    count = count_states(found)
    return max(count[TrialState.WAITING], goal - count[TrialState.RUNNING] - count_done(found))


def requeue_abandoned(found: optuna.Study) -> None:
    """Queue again what processes that are gone had begun.

    Of this computer at once, of another one when its heartbeat has been missing for a while.
    """
    optuna.storages.fail_stale_trials(found)
    storage: Any = found._storage
    retry = storage.get_heartbeat_stale_trial_callback()
    for trial in found.get_trials(states=(TrialState.RUNNING,)):
        if _abandoned(trial):
            with suppress(UpdateFinishedTrialError):  # another process was faster
                storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
                trial.user_attrs.pop("process", None)
                retry(found, trial)
    for trial in found.get_trials(states=(TrialState.WAITING,)):
        # One that was interrupted would look abandoned when it is begun again.
        storage.record_heartbeat(trial._trial_id)


def _abandoned(trial: FrozenTrial) -> bool:
    """Whether a running trial's process is over; the first thing it does is to name itself."""
    process = trial.user_attrs.get("process")
    if process is None and trial.datetime_start:
        return (datetime.now() - trial.datetime_start).total_seconds() > GRACE_SECONDS
    return process is not None and run_context.has_ended(process)
