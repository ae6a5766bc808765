"""One worker: a process that runs trials of a study until there are enough.

Started by `pool`. At SIGTERM, or when the process that started it is gone, it gives its trial
back after the epoch, to be gone on with, and ends.
"""

import io
import multiprocessing
import secrets
import signal
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import MaxTrialsCallback
from optuna.trial import FrozenTrial, TrialState

from digits.datasets import split_files
from digits.project import code_hash, params_file, workspace
from digits.project.params_schema import Params
from digits.tracking import nested_runs, run_context, tracking_store
from digits.tracking.runs import TrackedRun
from digits.training import checkpoint, device, networks
from digits.training.training_loop import TrainingState
from digits.tuning import search_space, study, study_storage
from digits.tuning.search_space import SearchSpace
from digits.tuning.study import RUN_ID_ATTRIBUTE
from digits.tuning.trial_job import TrialJob
from digits.tuning.trial_training import TrialTraining

# What MLflow calls the end of a trial; it has no word for a run that was pruned.
RUN_STATUS = {
    "finished": "FINISHED",
    "pruned": "KILLED",
    "diverged": "FAILED",
    "interrupted": "KILLED",
}
CLOCK_METRIC = "training_seconds"


class _LeftError(BaseException):
    """Says why a trial was left; it is no Exception, for which Optuna would end it as failed."""


class _StoppedError(Exception):
    """The worker was told to stop."""


def run_worker(job: TrialJob) -> None:
    """Run trials until SIGTERM, or until none is left."""
    event, starter = threading.Event(), multiprocessing.parent_process()
    signal.signal(signal.SIGTERM, lambda *_: event.set())
    threading.excepthook = lambda _: None  # a heartbeat that fails; the next report says why
    study_storage.silence_optuna()
    TrialWorker(job, lambda: event.is_set() or not (starter and starter.is_alive())).work()


class TrialWorker:
    """A job, and what is loaded once for all of its trials."""

    def __init__(self, job: TrialJob, stop: Callable[[], bool]) -> None:
        self._job, self._stop = job, stop
        self._study = job.study
        self._space = SearchSpace(job.values)
        root = workspace.checkout_root()
        self._training, self._validation = (split_files.load(root / path) for path in job.inputs)
        self._code = code_hash.source_hashes(Path(__file__))
        self._number = 0 if job.alone else secrets.randbits(32)
        self._key = ""  # of the last trial's checkpoint
        with redirect_stderr(io.StringIO()):  # what there is to say the command has said
            tracking_store.is_reachable(tracking_store.current_store())

    def work(self) -> None:
        """Run trials until there are enough, time is over or `stop` says so."""
        enough = MaxTrialsCallback(self._job.goal, states=(*study.DONE_STATES, TrialState.RUNNING))
        while not self._stop() and study.count_unclaimed(self._study, self._job.goal):
            self._prepare()
            seconds = self._job.until and max(0.0, self._job.until - time.time())
            try:
                self._study.optimize(self, timeout=seconds, callbacks=[self._tidy, enough])
            except _LeftError as left:
                (reason,) = left.args
                if not isinstance(reason, (_StoppedError, UpdateFinishedTrialError)):
                    raise reason from None
            else:
                return

    def _prepare(self) -> None:
        tune = self._job.values.tune
        self._study.sampler = study.build_sampler(self._study, tune, self._number)

    def _tidy(self, _study: optuna.Study, _ended: FrozenTrial) -> None:
        """Get ready for the next trial."""
        checkpoint.delete(self._key)
        self._prepare()
        if self._stop():
            self._study.stop()

    def __call__(self, trial: optuna.Trial) -> float:
        """Run a trial to its end, or give it back with all that it has reached."""
        try:
            return self._run(trial)
        except optuna.TrialPruned:
            raise
        except BaseException as error:
            # There is none to give back when this process stood still so long that another has it.
            with suppress(*study_storage.FAILURES, UpdateFinishedTrialError):
                trial.set_user_attr("process", {})
                trial.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
            raise _LeftError(error) from error

    def _run(self, trial: optuna.Trial) -> float:
        trial.set_user_attr("process", run_context.process_identity())  # first, see `study.requeue`
        setting = self._space.draw(trial) | trial.user_attrs.get("setting", {})
        trial.set_user_attr("setting", setting)
        name, parent = (
            f"{self._study.study_name} {trial.number}",
            self._study.user_attrs.get(RUN_ID_ATTRIBUTE),
        )
        run = nested_runs.start_trial_run(
            parent, name, trial.user_attrs.get(RUN_ID_ATTRIBUTE), setting
        )
        try:
            trial.set_user_attr(RUN_ID_ATTRIBUTE, run.id)
            return self._attempt(
                trial, params_file.with_changes(self._job.values, setting, name), run
            )
        except (optuna.TrialPruned, _StoppedError, UpdateFinishedTrialError):
            raise
        except BaseException:
            run.end("FAILED", CLOCK_METRIC, 0.0)
            raise

    def _attempt(self, trial: optuna.Trial, values: Params, run: TrackedRun) -> float:
        self._key = self._checkpoint(values)
        attempt = TrialTraining(trial, self._fresh(values), self._key, run)
        outcome = attempt.train(self._stop)
        found = attempt.result() if outcome == "finished" else {}
        facts = {"outcome": outcome, "seconds": round(attempt.seconds, 3)}
        trial.set_user_attr("result", found | facts)
        run.set_tags({"trial.state": outcome, "trial.number": str(trial.number)})
        # MLflow first: killed before Optuna has it, a trial is run again and ends its run again.
        run.end(RUN_STATUS[outcome], CLOCK_METRIC, attempt.seconds)
        if outcome == "interrupted":
            raise _StoppedError
        if outcome != "finished":
            raise optuna.TrialPruned
        return float(found["accuracy"])

    def _fresh(self, values: Params) -> TrainingState:
        train = values.train.model_copy(update={"threads": self._job.threads})
        device.configure_torch(train)
        untrained = networks.build_network(values.model, int(self._training.labels.max()) + 1)
        return TrainingState(untrained, self._training, self._validation, train, values.augment)

    def _checkpoint(self, values: Params) -> str:
        """The key of the trial's checkpoint: all that decides its result but the threads."""
        decisive = {name: search_space.plain_values(values)[name] for name in search_space.SECTIONS}
        decisive["train"].pop("threads")
        return checkpoint.key(decisive, self._job.inputs, self._code)
