"""The study: what it maximizes, how it draws and prunes trials, and which are still to be run.

Where a study is stored is in `study_storage`, what comes out of it in `study_results`.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import optuna
from optuna import pruners, samplers
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from digits.project.errors import UserError
from digits.project.params_schema import Params, TuneParams
from digits.tracking import run_context
from digits.tuning.search_space import SearchSpace, Setting, training_values
from digits.tuning.study_storage import GRACE_SECONDS, URL, connect_storage

METRIC = "validation_accuracy"  # of the epoch whose weights are kept, as in `train`
MAXIMIZE = optuna.study.StudyDirection.MAXIMIZE
DONE_STATES = (TrialState.COMPLETE, TrialState.PRUNED)
CLAIMED_STATES = (*DONE_STATES, TrialState.RUNNING)
FINGERPRINT_ATTRIBUTE = "recipe"
RUN_ID_ATTRIBUTE = "run_id"  # of a study or a trial: its run in MLflow
PREFIX = "digits:"  # of the attributes for programs
# Asynchronous successive halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter
# Tuning"). The first rung is after the share FIRST_RUNG of all epochs, each further one after
# REDUCTION times as many. A trial goes on if it is among the best 1/REDUCTION of all trials that
# reached the rung; a percentile pruner would compare it with finished trials alone.
FIRST_RUNG, REDUCTION = 0.15, 3
NEW_VALUES = {f"augment.{key}" for key in ("flip", "erase", "brightness", "contrast", "saturation")}
NEW_VALUES |= {"train.balance"}  # those that older studies lack
TURNED_OFF = {"0.0", "0", "none"}


@dataclass(frozen=True)
class TrialJob:
    """The study whose trials a worker runs, and how. The worker's process connects anew."""

    url: URL
    study: optuna.Study
    values: Params
    inputs: dict[str, str]  # files of training and validation images -> SHA-256
    goal: int  # trials of the study
    threads: int
    until: float | None  # time (seconds since 1970) after which no trial is begun
    alone: bool  # the only worker: with the same seed it draws the same values in the same order


def confirmation_name(name: str) -> str:
    """The name of the study of the finalists on other seeds; the schema refuses it for others."""
    return f"{name}:confirm"


def study_fingerprint(space: SearchSpace) -> dict[str, str]:
    """Dotted keys that are equal in comparable studies: the space and the values outside it.

    Values of networks that are not in use are left out, and those that older studies lack where
    they turn something off.
    """
    values = training_values(space.values)
    if "model.kind" not in space.searches:
        for kind in {"mlp", "cnn", "torchvision"} - {values["model"]["kind"]}:
            values["model"].pop(kind)
    elif "torchvision" not in getattr(space.searches["model.kind"], "choices", ()):
        values["model"].pop("torchvision")
    fixed = run_context.flatten_params(values)
    fixed = {k: v for k, v in fixed.items() if k not in NEW_VALUES or v not in TURNED_OFF}
    for key in (*space.searches, "train.threads", "train.device"):
        fixed.pop(key, None)
    searched = space.tune.model_dump(mode="json")["space"]
    return fixed | run_context.flatten_params({"metric": METRIC, "tune.space": searched})


def store(trial: optuna.Trial, key: str, value: Any) -> None:
    """Store a value for programs in a trial; Optuna Dashboard shows only user attributes."""
    trial.storage.set_trial_system_attr(trial._trial_id, PREFIX + key, value)


def stored(trial: FrozenTrial, key: str, default: Any = None) -> Any:
    """The value that `store` wrote into a trial. Older studies have it as a user attribute."""
    return trial.system_attrs.get(PREFIX + key, trial.user_attrs.get(key, default))


def enqueue(study: optuna.Study, params: dict[str, Any], setting: Setting, **shown: Any) -> None:
    """Queue a trial that trains with `setting`; `params` are what Optuna draws for it.

    `shown` are user attributes of the trial.
    """
    attributes = {"fixed_params": params, f"{PREFIX}setting": setting}  # as `Study.enqueue_trial`
    trial = optuna.create_trial(state=TrialState.WAITING, system_attrs=attributes, user_attrs=shown)
    study.add_trial(trial)


def open_study(url: URL, name: str, fingerprint: dict[str, str], goal: int = 0) -> optuna.Study:
    """Open the study `name`, which should have `goal` trials, or create it.

    Raises UserError for a study with another fingerprint and for an unfinished one of
    release 0.1.0; that study stays as it is.
    """
    study = optuna.create_study(
        storage=connect_storage(url), study_name=name, direction=MAXIMIZE, load_if_exists=True
    )
    if not study.trials and not study.user_attrs and study.directions == [MAXIMIZE]:
        # Studies of release 0.1.0 have no version.
        study.set_user_attr(FINGERPRINT_ATTRIBUTE, fingerprint | {"version": "2"})
    _check_fingerprint(study, fingerprint, goal)
    study.set_metric_names([METRIC.replace("_", " ")])  # for pages and figures
    return study


def _check_fingerprint(study: optuna.Study, fingerprint: dict[str, str], goal: int) -> None:
    name, rename = study.study_name, "give another search another name with --study"
    if study.directions != [MAXIMIZE] or FINGERPRINT_ATTRIBUTE not in study.user_attrs:
        raise UserError(f"study {name} was not created by `digits tune`; {rename}")
    stored: dict[str, str] = study.user_attrs[FINGERPRINT_ATTRIBUTE]
    running = count_states(study)[TrialState.RUNNING]
    if "version" not in stored and (running or count_unclaimed(study, goal)):
        text = f"study {name} is unfinished and was begun by release 0.1.0"
        raise UserError(f"{text}; finish it with that release, or {rename}")
    stored.pop("version", None)
    for key in sorted(stored.keys() | fingerprint.keys()):
        old, new = (values.get(key, "absent") for values in (stored, fingerprint))
        if old != new:
            text = f"study {name} was begun with {key} {old}, now it is {new}"
            raise UserError(f"{text}; set it back, or {rename}")


def build_pruner(tune: TuneParams, epochs: int) -> pruners.BasePruner:
    """The pruner of trials that train for `epochs` epochs."""
    if tune.pruner == "none":
        return pruners.NopPruner()
    first = max(1, round(FIRST_RUNG * epochs))
    return pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=REDUCTION)


def build_sampler(study: optuna.Study, tune: TuneParams, worker: int) -> samplers.BaseSampler:
    """The sampler of the next trial; its draws depend on the seed and the trial's position.

    With one worker, an interrupted study therefore goes on as it would have. A trial that
    killed its workers keeps its position, otherwise the same values would be drawn again.
    `worker` differs between workers, since two of them can be at one position.
    """
    position = sum("failed_trial" not in trial.system_attrs for trial in all_trials(study))
    seed = int(np.random.SeedSequence([tune.seed, position, worker]).generate_state(1)[0])
    kind = samplers.TPESampler if tune.sampler == "tpe" else samplers.RandomSampler
    return kind(seed=seed)


def all_trials(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """The trials as they are now, those in `states` if any are given; they are not copied."""
    return study.get_trials(deepcopy=False, states=states or None)


def counted_settings(study: optuna.Study) -> list[Setting | None]:
    """The setting of each trial except failed attempts; None where the worker is to draw it."""
    counted = (trial for trial in all_trials(study) if trial.state is not TrialState.FAIL)
    return [stored(trial, "setting") for trial in counted]


def count_states(study: optuna.Study) -> Counter[TrialState]:
    """Count the trials in each state."""
    return Counter(trial.state for trial in all_trials(study))


def count_done(study: optuna.Study) -> int:
    """Count the finished and pruned trials."""
    return len(all_trials(study, *DONE_STATES))


def count_unclaimed(study: optuna.Study, goal: int) -> int:
    """Count the trials that no worker has begun: queued ones, or those that `goal` lacks."""
    count = count_states(study)
    claimed = sum(count[state] for state in CLAIMED_STATES)
    return max(count[TrialState.WAITING], goal - claimed)


def requeue_abandoned(study: optuna.Study) -> None:
    """Queue the trials of dead workers again.

    A worker of this computer is dead when its process has ended, one of another computer
    when its heartbeat is overdue.
    """
    optuna.storages.fail_stale_trials(study)
    storage: Any = study._storage
    retry = storage.get_heartbeat_stale_trial_callback()
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if _is_abandoned(trial):
            with suppress(UpdateFinishedTrialError):  # another process was faster
                storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
                for attributes, key in ((trial.system_attrs, PREFIX), (trial.user_attrs, "")):
                    attributes.pop(f"{key}process", None)
                retry(study, trial)
    for trial in all_trials(study, TrialState.WAITING):
        # An interrupted trial would look abandoned when it is begun again.
        storage.record_heartbeat(trial._trial_id)


def _is_abandoned(trial: FrozenTrial) -> bool:
    """Whether the process of a running trial has ended. A worker first stores its identity."""
    process = stored(trial, "process")
    if process is None and trial.datetime_start:
        return (datetime.now() - trial.datetime_start).total_seconds() > GRACE_SECONDS
    return process is not None and run_context.has_ended(process)
