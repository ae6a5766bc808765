"""The calls that write a journal's entries into a run. Each can be repeated without harm.

`WRITERS` has the call for each kind of entry. Journals on disk hold those kinds and the names of
the calls' parameters; those that older versions left must still be read. The positional
parameter `files` is the folder with the files of the entry.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from digits.tracking import logged_model, metric_names, run_summary
from digits.tracking.tracking_store import NOTE_TAG, StoredRun

# A value of a metric: its name, the value, the step, and milliseconds since 1970.
Point = tuple[str, float, int, int]


def unix_ms() -> int:
    """Milliseconds since 1970, as in MLflow."""
    return time.time_ns() // 1_000_000


def set_tags(target: StoredRun, values: Mapping[str, str]) -> None:
    """Set tags of a run."""
    from mlflow.entities import RunTag

    target.store.client.log_batch(target.run_id, tags=[RunTag(*tag) for tag in values.items()])


def describe_run(target: StoredRun, title: str, text: str) -> None:
    """Write one paragraph of a run's description."""
    tags = target.store.client.get_run(target.run_id).data.tags
    note = tags.get(NOTE_TAG, "")
    set_tags(target, {NOTE_TAG: run_summary.replace_paragraph(note, title, text)})


def log_params(target: StoredRun, values: Mapping[str, str]) -> None:
    """Log parameters of a run."""
    from mlflow.entities import Param

    target.store.client.log_batch(target.run_id, params=[Param(*item) for item in values.items()])


def reopen_run(target: StoredRun) -> None:
    """Make an ended run RUNNING again, without the error of its end."""
    client = target.store.client
    if "error" in client.get_run(target.run_id).data.tags:
        client.delete_tag(target.run_id, "error")
    client.update_run(target.run_id, status="RUNNING")


def log_metrics(
    target: StoredRun, points: Sequence[Point], *, of_model: bool = False, resumed: bool = False
) -> None:
    """Log points of a run and, if `of_model`, of the model that it logged last.

    A metric of a model names the run's data set that it was measured on: that of its group.
    Points that a `resumed` run already has keep their time, so that MLflow does not double them.
    """
    from mlflow.entities import Metric

    client, run_id = target.store.client, target.run_id
    model_id = logged_model.last_model_id(target) if of_model else None
    known = client.get_run(run_id).data.metrics if resumed else {}
    datasets = _datasets(target) if model_id else {}
    times = {
        (m.key, m.value, m.step): m.timestamp
        for key in {key for key, *_ in points} & known.keys()
        for m in client.get_metric_history(run_id, key)
    }
    metrics = []
    for key, value, step, moment in points:
        dataset = datasets.get(metric_names.dataset_of(key), (None, None))
        logged_at = times.get((key, value, step), moment)
        metrics.append(Metric(key, value, logged_at, step, model_id, *dataset, run_id=run_id))
    client.log_batch(run_id, metrics)


def _datasets(target: StoredRun) -> dict[str, tuple[str, str]]:
    """Return name and digest of each data set of a run, by its name."""
    inputs = target.store.client.get_run(target.run_id).inputs
    datasets = [item.dataset for item in inputs.dataset_inputs] if inputs else []
    return {dataset.name: (dataset.name, dataset.digest) for dataset in datasets}


def log_inputs(target: StoredRun, pictures: Sequence[tuple[str, int, str]]) -> None:
    """Log the files that a run reads; `pictures` has path, number of images and SHA-256 of each.

    MLflow's own data set classes would hash the arrays again.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = []
    for path, n, sha256 in pictures:
        stem = Path(path).stem
        source, profile = {"uri": path}, json.dumps({"num_rows": n, "sha256": sha256})
        # A digest has at most 36 characters in MLflow.
        dataset = Dataset(stem, sha256[:36], "local", json.dumps(source), profile=profile)
        context = InputTag("mlflow.data.context", "training" if stem == "train" else stem)
        inputs.append(DatasetInput(dataset, [context]))
    target.store.client.log_inputs(target.run_id, inputs)


def log_artifacts(target: StoredRun, files: Path, folder: str | None = None) -> None:
    """Upload the files of an entry to `folder` of the run's artifacts."""
    target.store.client.log_artifacts(target.run_id, str(files), folder)


def end_run(target: StoredRun, status: str, moment: int, clock: str, seconds: float) -> None:
    """Close a run; the metric `clock` is the sum of the seconds spent on it."""
    client = target.store.client
    old = metric_names.old_name(clock)
    history = [m for key in (clock, old) for m in client.get_metric_history(target.run_id, key)]
    if all(point.timestamp != moment for point in history):
        before = max((point.value for point in history), default=0.0)
        log_metrics(target, [(clock, round(before + seconds, 3), 0, moment)])
    client.set_terminated(target.run_id, status, moment)


def end_killed_run(target: StoredRun, moment: int) -> None:
    """Close the run of a killed process unless another process went on with it and ended it."""
    client = target.store.client
    if client.get_run(target.run_id).info.status == "RUNNING":
        client.set_terminated(target.run_id, "KILLED", moment)


WRITERS: Mapping[str, Callable[..., object]] = {
    "tags": set_tags,
    "description": describe_run,
    "params": log_params,
    "reopen": reopen_run,
    "metrics": log_metrics,
    "inputs": log_inputs,
    "artifacts": log_artifacts,
    "model": logged_model.upload_model,
    "end": end_run,
    "end_killed": end_killed_run,
}
