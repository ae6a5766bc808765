"""One worker: a process that runs trials of a study until there are none left.

Started by `pool`, which writes jobs as lines of JSON into its input: when that closes, by the
pool's death too, the worker puts its trial back after the epoch and ends.
"""

import io
import json
import math
import queue
import signal
import sys
import threading
import time
from contextlib import redirect_stderr, suppress
from pathlib import Path

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy import make_url

from stages.lib import checkpoint, dataset, files, hardware, network, params, schema, stage
from stages.lib.dataset import Pictures
from stages.lib.engine import Training
from stages.lib.errors import guarded
from stages.lib.tracking import nested, store
from stages.lib.tracking.runs import Run
from stages.tuning import space, storage, study
from stages.tuning.attempt import Attempt
from stages.tuning.pool import Job
from stages.tuning.space import Space
from stages.tuning.trials import Trials

# How a trial ends in Optuna and in MLflow, which has no word for a run that was pruned.
STATES = {
    "finished": (TrialState.COMPLETE, "FINISHED"),
    "pruned": (TrialState.PRUNED, "KILLED"),
    "diverged": (TrialState.PRUNED, "FAILED"),
    "interrupted": (TrialState.FAIL, "KILLED"),
}
CLOCK = "training_seconds"


class Worker:
    """A job, and what is loaded once for all of its trials; `parts` outlives the job."""

    def __init__(self, job: Job, stop: threading.Event, parts: dict[str, Pictures]) -> None:
        self._job, self._stop = job, stop
        self._values = params.check(job.values, "params.yaml")
        url = make_url(job.storage)
        connected = storage.connect(url)
        loaded = study.load(connected, job.study, self._values)
        self._trials = Trials(url, connected, loaded, Space(self._values))
        for path in job.inputs:
            parts[path] = parts.get(path) or dataset.load(Path(path))
        self._parts = [parts[path] for path in job.inputs]
        self._code = stage.source_hashes(Path(__file__))
        with redirect_stderr(io.StringIO()):  # what there is to say the command has said
            store.answers(store.connect())

    def work(self) -> None:
        """Run trials until none is left, time is over, or `stop`."""
        limit = self._job.seconds
        until = math.inf if limit is None else time.monotonic() + limit
        while (trial := self._trials.take(self._job.goal, self._stop, until)) is not None:
            try:
                self._run(trial)
            except UpdateFinishedTrialError:
                # This process stood still so long that another one has the trial and its run.
                continue
            except BaseException:
                with suppress(*storage.FAILURES):
                    self._trials.put_back(trial)
                raise

    def _run(self, trial: optuna.Trial) -> None:
        setting, resume = trial.user_attrs["setting"], trial.user_attrs.get("run_id")
        name = f"{self._job.study} {trial.number}"
        run = nested.start(self._job.parent, name, resume, setting)
        try:
            trial.set_user_attr("run_id", run.id)
            self._attempt(trial, params.changed(self._values, setting, name), run)
        except UpdateFinishedTrialError:
            raise
        except BaseException:
            run.end("FAILED", CLOCK, 0.0)
            raise

    def _attempt(self, trial: optuna.Trial, values: schema.Params, run: Run) -> None:
        key = self._key(values)
        with self._trials.heartbeat(trial):
            attempt = Attempt(trial, self._training(values), key, run)
            outcome = attempt.train(self._stop)
            found = attempt.result() if outcome == "finished" else {}
            facts = {"outcome": outcome, "seconds": round(attempt.seconds, 3)}
            trial.set_user_attr("result", found | facts)
        state, status = STATES[outcome]
        run.set_tags({"trial.state": outcome, "trial.number": str(trial.number)})
        # MLflow first: killed between the two, a trial is run again and ends its run again.
        run.end(status, CLOCK, attempt.seconds)
        if outcome == "interrupted":
            self._trials.put_back(trial)
        elif self._trials.settle(trial, state, found.get("accuracy")):
            checkpoint.drop(key)

    def _training(self, values: schema.Params) -> Training:
        train = values.train.model_copy(update={"threads": self._job.threads})
        hardware.configure(train)
        training, validation = self._parts
        fresh = network.build(values.model, int(training.labels.max()) + 1)
        return Training(fresh, training, validation, train, values.augment)

    def _key(self, values: schema.Params) -> str:
        """Of the trial's checkpoint: all that decides its result but the threads."""
        decisive = {name: space.plain(values)[name] for name in space.SECTIONS}
        decisive["train"].pop("threads")
        return files.digest([decisive, self._job.inputs, self._code, torch.__version__])


def main() -> None:
    """Work on the jobs that the lines of the input describe, and answer each with a line."""
    # Ctrl-C and SIGTERM are for the pool, which then closes the input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stop, jobs = threading.Event(), queue.Queue[bytes]()
    threading.Thread(target=_listen, args=(stop, jobs), daemon=True).start()
    parts: dict[str, Pictures] = {}
    while line := jobs.get():
        job = Job(**json.loads(line))
        with storage.explained(make_url(job.storage)):
            Worker(job, stop, parts).work()
        print("done", flush=True)


def _listen(stop: threading.Event, jobs: "queue.Queue[bytes]") -> None:
    # Not sys.stdin, whose lock would be held here when the process ends by itself.
    with io.FileIO(sys.stdin.fileno(), closefd=False) as source:
        while line := source.readline():
            jobs.put(line)
    stop.set()
    jobs.put(b"")


if __name__ == "__main__":
    sys.exit(guarded("tune", main))
