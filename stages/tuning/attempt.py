"""A worker's attempt at one trial: train, report, keep what was reached, stop in time."""

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import optuna

from stages.lib import calibration, checkpoint, engine
from stages.lib.engine import Training
from stages.lib.errors import UserError
from stages.lib.tracking.runs import Run
from stages.tuning.study import METRIC

FLUSH = 10.0  # seconds after which new epochs go to MLflow; more often costs more than it shows
Row = dict[str, Any]


class Attempt:
    """One trial and its training, from its checkpoint if there is one."""

    def __init__(self, trial: optuna.Trial, training: Training, key: str, run: Run) -> None:
        """`key` is the checkpoint's, `run` the trial's in MLflow."""
        self._trial, self._training, self._key, self._run = trial, training, key, run
        saved = checkpoint.load(key) or {"rows": [], "told": 0, "training": None}
        self.rows: list[Row] = saved["rows"]
        self._told: int = saved["told"]  # rows that MLflow has
        self._flushed = time.monotonic()
        if saved["training"]:
            training.load_state_dict(saved["training"])

    def train(self, stop: threading.Event) -> str:
        """Train; `finished`, `pruned`, `diverged`, or `interrupted` because of `stop`.

        Raises optuna's UpdateFinishedTrialError when the trial was given to another worker.
        """
        last = self._training.train.epochs
        try:
            for row in self._epochs():
                self._report(row)
                if row["epoch"] == last:
                    break
                # asked for each trial, since the answer also makes it one to be compared with
                if self._trial.should_prune() and self._prunable:
                    return "pruned"
                if stop.is_set():
                    return "interrupted"
        except UserError:  # the loss is no number any more
            return "diverged"
        finally:
            self._tell()
        return "finished"

    @property
    def _prunable(self) -> bool:
        """The values that are compared with all others are trained to the end."""
        return not self._trial.user_attrs.get("current")

    def _report(self, row: Row) -> None:
        """Tell Optuna what the trial would come to if it ended now: its best epoch."""
        reached = max(r[METRIC] for r in self.rows if r["epoch"] <= row["epoch"])
        self._trial.report(reached, row["epoch"])

    def _epochs(self) -> Iterator[Row]:
        """Those of the checkpoint, then new ones."""
        for row in self.rows[:-1]:
            self._report(row)
        yield from self.rows[-1:]
        for epoch in engine.fit(self._training):
            self.rows.append(asdict(epoch))
            if time.monotonic() - self._flushed > FLUSH:
                self._tell()
            saved = {"rows": self.rows, "told": self._told}
            checkpoint.save(self._key, {**saved, "training": self._training.state_dict()})
            yield self.rows[-1]

    def _tell(self) -> None:
        """Send the epochs that MLflow lacks."""
        new = self.rows[self._told :]
        if new:
            self._run.log_history([(r["epoch"], _numbers(r)) for r in new])
        self._told, self._flushed = len(self.rows), time.monotonic()

    @property
    def seconds(self) -> float:
        """Time spent on the epochs, those before an interruption too."""
        return math.fsum(row["seconds"] for row in self.rows)

    def result(self) -> Row:
        """What the kept weights do on the validation pictures.

        `right` says for each picture whether its label is right, as bits in hexadecimal.
        """
        training = self._training
        training.network.load_state_dict(engine.best_state(training))
        outputs = engine.logits(training.network, training.validation.images, training.device)
        labels = training.validation.labels
        right = outputs.argmax(1) == labels
        temperature = calibration.temperature(outputs, labels)
        return {
            "accuracy": float(right.mean()),
            "loss": calibration.cross_entropy(outputs / temperature, labels),
            "n": len(right),
            "right": np.packbits(right).tobytes().hex(),
        }


def _numbers(row: Row) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "epoch"}
