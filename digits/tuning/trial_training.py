"""The training of one trial: its epochs, reports to Optuna, checkpoints and result.

`worker` decides which trial is trained and what becomes of it in the study and in MLflow.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from optuna import Trial

from digits.evaluation import temperature_scaling
from digits.project.errors import UserError
from digits.tracking import metric_names
from digits.tracking.runs import TrackedRun
from digits.training import checkpoint, training_loop
from digits.training.training_loop import TrainingState
from digits.tuning.study import METRIC

Row = dict[str, Any]


class TrialTraining:
    """The training of one trial, resumed from its checkpoint if there is one."""

    def __init__(self, trial: Trial, state: TrainingState, key: str, run: TrackedRun) -> None:
        """`key` is that of the checkpoint; `run` is the trial's run in MLflow."""
        self._trial, self._training, self._key, self._run = trial, state, key, run
        self.rows: list[Row] = []
        if saved := checkpoint.load(key):
            self.rows = saved["rows"]
            state.load_state_dict(saved["training"])

    def train(self, stop: Callable[[], bool]) -> str:
        """Train until the end, or until Optuna prunes the trial or `stop()` is true.

        Returns `finished`, `pruned`, `diverged` or `interrupted`. Raises Optuna's
        UpdateFinishedTrialError when the trial was given to another worker.
        """
        try:
            for row in self._epochs():
                self._report(row)
                if row["epoch"] == self._training.train.epochs:
                    break
                # Called for each trial, since it also stores the trial's rung for comparison with
                # others. The current values are trained to the end: all others need them.
                if self._trial.should_prune() and not self._trial.user_attrs.get("current"):
                    return "pruned"
                if stop():
                    return "interrupted"
        except UserError:  # the loss is not finite
            return "diverged"
        return "finished"

    def _report(self, row: Row) -> None:
        """Report to Optuna the best accuracy up to the epoch of `row`."""
        best = max(r[METRIC] for r in self.rows if r["epoch"] <= row["epoch"])
        self._trial.report(best, row["epoch"])

    def _epochs(self) -> Iterator[Row]:
        """Yield the checkpoint's last epoch, which Optuna may not have, then new epochs."""
        for row in self.rows[:-1]:
            self._report(row)
        yield from self.rows[-1:]
        for epoch in training_loop.fit(self._training):
            row = asdict(epoch)
            self.rows.append(row)
            checkpoint.save(self._key, {"rows": self.rows, "training": self._training.state_dict()})
            self._run.log_history([(epoch.epoch, metric_names.epoch_metrics(row))])
            yield row

    @property
    def seconds(self) -> float:
        """Time spent on all epochs, also on those before an interruption."""
        return math.fsum(row["seconds"] for row in self.rows)

    def result(self) -> Row:
        """Scores of the best epoch's weights on the validation images.

        `right` tells for each image whether its predicted label is right, as bits in hexadecimal.
        """
        training = self._training
        training.network.load_state_dict(training_loop.best_weights(training))
        images, labels = training.validation.images, training.validation.labels
        logits = training_loop.predict_logits(training.predictor, images, training.device)
        correct = logits.argmax(1) == labels
        temperature = temperature_scaling.fit_temperature(logits, labels)
        return {
            "accuracy": float(correct.mean()),
            "loss": temperature_scaling.cross_entropy(logits / temperature, labels),
            "n": len(correct),
            "right": np.packbits(correct).tobytes().hex(),
        }
