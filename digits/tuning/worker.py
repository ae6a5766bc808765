"""A worker: a process that runs trials of a study until there are enough.

`worker_pool` starts it. At SIGTERM, or when the process that started it has ended, the worker
finishes its epoch, queues its trial again with all that it has reached, and ends.
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
from optuna.trial import FrozenTrial, TrialState

from digits.datasets import split_files
from digits.project import code_hash, params_file, workspace
from digits.project.params_schema import Params
from digits.tracking import nested_runs, run_context, run_lookup, runs, tracking_store
from digits.training import checkpoint, train_model, training_loop
from digits.tuning import study, study_storage
from digits.tuning.search_space import SearchSpace, training_values
from digits.tuning.trial_training import TrialTraining

# The status of the trial's run. A pruned trial did not fail: its tag trial.state tells.
OUTCOMES = ("finished", "pruned", "diverged", "interrupted")
STATUS = dict(zip(OUTCOMES, ("FINISHED", "FINISHED", "FAILED", "KILLED"), strict=True))
CLOCK_METRIC = "time/training"


class _RequeuedError(BaseException):
    """Holds the error that ended an attempt. Optuna would mark the trial of an Exception failed."""


class _StoppedError(Exception):
    """The worker is to end."""


def run_worker(job: study.TrialJob) -> None:
    """Run trials until SIGTERM, or until none is left."""
    terminated, parent = threading.Event(), multiprocessing.parent_process()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    threading.excepthook = lambda _: None  # a heartbeat that fails; the next report raises too
    study_storage.silence_optuna()
    TrialWorker(job, lambda: terminated.is_set() or not (parent and parent.is_alive())).work()


class TrialWorker:
    """Runs the trials of one job, and holds what all of them share: images, study and space."""

    def __init__(self, job: study.TrialJob, stop: Callable[[], bool]) -> None:
        self._job, self._study, self._stop = job, job.study, stop
        self._space = SearchSpace(job.values)
        root = workspace.checkout_root()
        self._training, self._validation = (split_files.load(root / path) for path in job.inputs)
        self._code = code_hash.source_hashes(Path(__file__))
        self._number = 0 if job.alone else secrets.randbits(32)
        self._key = ""  # of the last trial's checkpoint
        self._trial_id = -1  # of the trial that is run
        with redirect_stderr(io.StringIO()):  # the command has printed any warning already
            tracking_store.is_reachable(tracking_store.current_store())

    def work(self) -> None:
        """Run trials until there are enough, the time is over, or `stop()` is true."""
        enough = optuna.study.MaxTrialsCallback(self._job.goal, study.CLAIMED_STATES)
        while not self._stop() and study.count_unclaimed(self._study, self._job.goal):
            self._prepare_next_trial()
            seconds = self._job.until and max(0.0, self._job.until - time.time())
            try:
                self._study.optimize(self, timeout=seconds, callbacks=[self._after_trial, enough])
            except _RequeuedError as requeued:
                (reason,) = requeued.args
                if not isinstance(reason, (_StoppedError, UpdateFinishedTrialError)):
                    raise reason from None
            except Exception:
                if not self._lost_trial():
                    raise
            else:
                return

    def _prepare_next_trial(self) -> None:
        self._study.sampler = study.build_sampler(self._study, self._job.values.tune, self._number)
        self._trial_id = -1

    def _lost_trial(self) -> bool:
        """Whether another process took the trial over, for example while this computer slept.

        When such a trial has been run to its end, Optuna raises one of several errors.
        """
        trials = {t._trial_id: t.state for t in self._study.get_trials(deepcopy=False)}
        return trials.get(self._trial_id) is TrialState.FAIL

    def _after_trial(self, _study: optuna.Study, _trial: FrozenTrial) -> None:
        """Delete the trial's checkpoint and prepare the next trial; Optuna calls this."""
        checkpoint.delete(self._key)
        self._prepare_next_trial()
        if self._stop():
            self._study.stop()

    def __call__(self, trial: optuna.Trial) -> float:
        """Run a trial and return its accuracy; queue it again if it cannot be finished now."""
        self._trial_id = trial._trial_id
        try:
            return self._run(trial)
        except optuna.TrialPruned:
            raise
        except BaseException as error:
            # The trial has ended already if this process stood still and another one took it over.
            with suppress(*study_storage.FAILURES, UpdateFinishedTrialError, KeyError):
                study.store(trial, "process", {})
                trial.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
            raise _RequeuedError(error) from error

    def _run(self, trial: optuna.Trial) -> float:
        # This comes first: `study.requeue_abandoned` reads it.
        study.store(trial, "process", run_context.process_identity())
        queued = study.stored(trial.storage.get_trial(trial._trial_id), "setting", {})
        setting = self._space.draw(trial) | queued
        study.store(trial, "setting", setting)
        name = f"{self._study.study_name} {trial.number}"
        parent = self._study.user_attrs.get(study.RUN_ID_ATTRIBUTE)
        resume = trial.user_attrs.get(study.RUN_ID_ATTRIBUTE)
        run = nested_runs.start_trial_run(parent, name, resume, setting)
        try:
            trial.set_user_attr(study.RUN_ID_ATTRIBUTE, run.id)
            if page := run_lookup.run_page(run.id):
                trial.set_user_attr("MLflow", page)
            values = params_file.with_changes(self._job.values, setting, name)
            return self._train(trial, values, run)
        except (optuna.TrialPruned, _StoppedError, UpdateFinishedTrialError):
            raise
        except BaseException:
            run.end("FAILED", CLOCK_METRIC, 0.0)
            raise

    def _train(self, trial: optuna.Trial, values: Params, run: runs.TrackedRun) -> float:
        """Train the trial with `values`, and store its result in the study and in its run."""
        decisive = training_values(values)
        decisive["train"].pop("threads")  # does not change the result
        self._key = checkpoint.key(decisive, self._job.inputs, self._code)
        training = TrialTraining(trial, self._initial_state(values), self._key, run)
        outcome = training.train(self._stop)
        scores = training.result() if outcome == "finished" else {}
        result = scores | {"outcome": outcome, "seconds": round(training.seconds, 3)}
        study.store(trial, "result", result)
        trial.set_user_attr("outcome", outcome)
        if scores:
            trial.set_user_attr("loss", round(scores["loss"], 4))
        run.set_tags({"trial.state": outcome, "trial.number": str(trial.number)})
        # MLflow first: if the process is killed here, the trial and its run are repeated.
        run.end(STATUS[outcome], CLOCK_METRIC, training.seconds)
        if outcome == "interrupted":
            raise _StoppedError
        if outcome != "finished":
            raise optuna.TrialPruned
        return float(scores["accuracy"])

    def _initial_state(self, values: Params) -> training_loop.TrainingState:
        train = values.train.model_copy(update={"threads": self._job.threads})
        parts = {"training": self._training, "validation": self._validation}
        return train_model.new_state(values.model, values.augment, train, parts)
