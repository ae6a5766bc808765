"""The names of a run's metrics in MLflow: groups with "/", as its pages show them.

`test/accuracy`, `test/loss`, `validation/accuracy`, `train/loss`, `class/recall/7`,
`corruption/fog`, `time/training` (seconds). Older runs have names such as `test_accuracy`, which
files below metrics/ and tags of versions still have; `read_metric` knows both.
"""

import re
from collections.abc import Mapping
from typing import Any

from digits.project import hashing

MAX_CLASS_NAME = 100  # characters of a class's name in the name of a metric
# Metrics of an epoch, the most important first: MLflow's pages begin with what is logged first.
EPOCH_METRICS = {
    "validation_accuracy": "validation/accuracy",
    "validation_loss": "validation/loss",
    "train_loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "seconds": "time/epoch",
}


def epoch_metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an epoch's record under their names in MLflow."""
    return {name: float(row[key]) for key, name in EPOCH_METRICS.items() if key in row}


def score_metrics(group: str, scores: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores of `Scores.as_metrics` in `group`, accuracy first.

    The number of images is left out: it is equal in all runs and stands in the run's data sets.
    """
    low, high = scores["accuracy_interval"]
    first = {"accuracy": scores["accuracy"], "accuracy_low": low, "accuracy_high": high}
    rest = {key: value for key, value in scores.items() if isinstance(value, float)}
    return {f"{group}/{key}": float(value) for key, value in (first | rest).items()}


def recall_metric(name: str) -> str:
    """Return the metric of a class's recall, its name in the characters that MLflow allows.

    Others become "_" and a hash follows, so that no two classes share a metric.
    """
    allowed = re.sub(r"[^A-Za-z0-9_. -]", "_", name)
    if allowed != name or len(name) > MAX_CLASS_NAME:
        allowed = f"{allowed[:MAX_CLASS_NAME]}-{hashing.json_sha256(name)[:6]}"
    return f"class/recall/{allowed}"


def dataset_of(name: str) -> str:
    """Return the data set that a metric was measured on, such as `test`."""
    group = name.partition("/")[0]
    return "test" if group in {"class", "corruption"} else group


def old_name(name: str) -> str:
    """Return what older runs call the metric `name`."""
    group, _, rest = name.partition("/")
    of_group = {"time": f"{rest}_seconds", "model": rest, "class": f"test_{rest}"}
    of_group["corruption"] = f"test_accuracy_{rest}"
    of_epoch = {new: old for old, new in EPOCH_METRICS.items()}
    return of_epoch.get(name, of_group.get(group, f"{group}_{rest}")).replace("/", "_")


def read_metric(metrics: Mapping[str, float], name: str) -> float | None:
    """Return a run's metric under its name or the old one; None when the run has neither."""
    return metrics.get(name, metrics.get(old_name(name)))
