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
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import MaxTrialsCallback
from optuna.trial import FrozenTrial, TrialState

from stages.lib import checkpoint, dataset, files, hardware, network, params, schema, stage
from stages.lib.engine import Training
from stages.lib.tracking import lineage, nested, store
from stages.lib.tracking.runs import Run
from stages.tuning import space, storage, study
from stages.tuning.attempt import Attempt
from stages.tuning.pool import Job
from stages.tuning.space import Space
from stages.tuning.study import RUN

# What MLflow calls the end of a trial; it has no word for a run that was pruned.
STATUS = {"finished": "FINISHED", "pruned": "KILLED", "diverged": "FAILED", "interrupted": "KILLED"}
CLOCK = "training_seconds"


class _LeftError(BaseException):
    """Says why a trial was left; it is no Exception, for which Optuna would end it as failed."""


class _StoppedError(Exception):
    """The worker was told to stop."""


def work(job: Job) -> None:
    """Run trials until SIGTERM, or until none is left."""
    event, starter = threading.Event(), multiprocessing.parent_process()
    signal.signal(signal.SIGTERM, lambda *_: event.set())
    threading.excepthook = lambda _: None  # a heartbeat that fails; the next report says why
    storage.quiet()
    Worker(job, lambda: event.is_set() or not (starter and starter.is_alive())).work()


class Worker:
    """A job, and what is loaded once for all of its trials."""

    def __init__(self, job: Job, stop: Callable[[], bool]) -> None:
        self._job, self._stop = job, stop
        self._study = job.study
        self._space = Space(job.values)
        root = files.workspace()
        self._training, self._validation = (dataset.load(root / path) for path in job.inputs)
        self._code = stage.source_hashes(Path(__file__))
        self._number = 0 if job.alone else secrets.randbits(32)
        self._key = ""  # of the last trial's checkpoint
        with redirect_stderr(io.StringIO()):  # what there is to say the command has said
            store.answers(store.connect())

    def work(self) -> None:
        """Run trials until there are enough, time is over or `stop` says so."""
        enough = MaxTrialsCallback(self._job.goal, states=(*study.DONE, TrialState.RUNNING))
        while not self._stop() and study.unclaimed(self._study, self._job.goal):
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
        self._study.sampler = study.sampler(self._study, tune, self._number)

    def _tidy(self, _study: optuna.Study, _ended: FrozenTrial) -> None:
        """Get ready for the next trial."""
        checkpoint.drop(self._key)
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
            with suppress(*storage.FAILURES, UpdateFinishedTrialError):
                trial.set_user_attr("process", {})
                trial.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
            raise _LeftError(error) from error

    def _run(self, trial: optuna.Trial) -> float:
        trial.set_user_attr("process", lineage.process())  # first, see `study.requeue`
        setting = self._space.draw(trial) | trial.user_attrs.get("setting", {})
        trial.set_user_attr("setting", setting)
        name, parent = f"{self._study.study_name} {trial.number}", self._study.user_attrs.get(RUN)
        run = nested.start(parent, name, trial.user_attrs.get(RUN), setting)
        try:
            trial.set_user_attr(RUN, run.id)
            return self._attempt(trial, params.changed(self._job.values, setting, name), run)
        except (optuna.TrialPruned, _StoppedError, UpdateFinishedTrialError):
            raise
        except BaseException:
            run.end("FAILED", CLOCK, 0.0)
            raise

    def _attempt(self, trial: optuna.Trial, values: schema.Params, run: Run) -> float:
        self._key = self._checkpoint(values)
        attempt = Attempt(trial, self._fresh(values), self._key, run)
        outcome = attempt.train(self._stop)
        found = attempt.result() if outcome == "finished" else {}
        facts = {"outcome": outcome, "seconds": round(attempt.seconds, 3)}
        trial.set_user_attr("result", found | facts)
        run.set_tags({"trial.state": outcome, "trial.number": str(trial.number)})
        # MLflow first: killed before Optuna has it, a trial is run again and ends its run again.
        run.end(STATUS[outcome], CLOCK, attempt.seconds)
        if outcome == "interrupted":
            raise _StoppedError
        if outcome != "finished":
            raise optuna.TrialPruned
        return float(found["accuracy"])

    def _fresh(self, values: schema.Params) -> Training:
        train = values.train.model_copy(update={"threads": self._job.threads})
        hardware.configure(train)
        untrained = network.build(values.model, int(self._training.labels.max()) + 1)
        return Training(untrained, self._training, self._validation, train, values.augment)

    def _checkpoint(self, values: schema.Params) -> str:
        """The key of the trial's checkpoint: all that decides its result but the threads."""
        decisive = {name: space.plain(values)[name] for name in space.SECTIONS}
        decisive["train"].pop("threads")
        return files.digest([decisive, self._job.inputs, self._code, torch.__version__])
