"""A worker's attempt at one trial: train, report, keep what was reached, stop in time."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import optuna

from digits.evaluation import temperature_scaling
from digits.project.errors import UserError
from digits.tracking.runs import TrackedRun
from digits.training import checkpoint, training_loop
from digits.training.training_loop import TrainingState
from digits.tuning.study import METRIC

Row = dict[str, Any]


class TrialTraining:
    """One trial and its training, from its checkpoint if there is one."""

    def __init__(
        self, trial: optuna.Trial, training: TrainingState, key: str, run: TrackedRun
    ) -> None:
        """`key` is the checkpoint's, `run` the trial's in MLflow."""
        self._trial, self._training, self._key, self._run = trial, training, key, run
        self.rows: list[Row] = []
        if saved := checkpoint.load(key):
            self.rows = saved["rows"]
            training.load_state_dict(saved["training"])

    def train(self, stop: Callable[[], bool]) -> str:
        """Train; `finished`, `pruned`, `diverged`, or `interrupted` when `stop` says so.

        Raises optuna's UpdateFinishedTrialError when the trial was given to another worker.
        """
        last = self._training.train.epochs
        try:
            for row in self._epochs():
                self._report(row)
                if row["epoch"] == last:
                    break
                # Asked for each trial, since the answer also makes it one to be compared with;
                # the values that are compared with all others are trained to the end.
                if self._trial.should_prune() and not self._trial.user_attrs.get("current"):
                    return "pruned"
                if stop():
                    return "interrupted"
        except UserError:  # the loss is no number any more
            return "diverged"
        return "finished"

    def _report(self, row: Row) -> None:
        """Tell Optuna what the trial would come to if it ended now: its best epoch."""
        reached = max(r[METRIC] for r in self.rows if r["epoch"] <= row["epoch"])
        self._trial.report(reached, row["epoch"])

    def _epochs(self) -> Iterator[Row]:
        """Those of the checkpoint, the last of which may be news to Optuna, then new ones."""
        for row in self.rows[:-1]:
            self._report(row)
        yield from self.rows[-1:]
        for epoch in training_loop.fit(self._training):
            self.rows.append(asdict(epoch))
            state = self._training.state_dict()
            checkpoint.save(self._key, {"rows": self.rows, "training": state})
            numbers = {name: value for name, value in self.rows[-1].items() if name != "epoch"}
            self._run.log_history([(epoch.epoch, numbers)])
            yield self.rows[-1]

    @property
    def seconds(self) -> float:
        """Time spent on the epochs, those before an interruption too."""
        return math.fsum(row["seconds"] for row in self.rows)

    def result(self) -> Row:
        """What the kept weights do on the validation pictures.

        `right` says for each picture whether its label is right, as bits in hexadecimal.
        """
        training = self._training
        training.network.load_state_dict(training_loop.best_weights(training))
        outputs = training_loop.predict_logits(
            training.network, training.validation.images, training.device
        )
        labels = training.validation.labels
        right = outputs.argmax(1) == labels
        temperature = temperature_scaling.fit_temperature(outputs, labels)
        return {
            "accuracy": float(right.mean()),
            "loss": temperature_scaling.cross_entropy(outputs / temperature, labels),
            "n": len(right),
            "right": np.packbits(right).tobytes().hex(),
        }
