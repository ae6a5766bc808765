"""Copy a run and its model from one store into a run of another."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.tracking import logged_model, record
from stages.lib.tracking.journal import CONTINUES, SENT_TO, UNSENT
from stages.lib.tracking.store import Store, Target

if TYPE_CHECKING:
    from mlflow.entities import Metric

# Tags that say something about the local copy only.
LOCAL = (UNSENT, CONTINUES, SENT_TO, "mlflow.log-model.history", "mlflow.runName")
BATCH = 500  # metrics a call; MLflow takes 1,000 entities and a megabyte


def run(source: Target, target: Target) -> None:
    """Copy everything but the status; what `target` has already stays single."""
    _copy_facts(source, target)
    _copy_metrics(source, target)
    _copy_files(source, target)
    _copy_model(source, target)


def _copy_facts(source: Target, target: Target) -> None:
    run = source.store.client.get_run(source.run_id)
    known = target.store.client.get_run(target.run_id).data.params
    record.params(target, {k: v for k, v in run.data.params.items() if k not in known})
    tags = {key: value for key, value in run.data.tags.items() if key not in LOCAL}
    record.tags(target, tags)
    if run.inputs and run.inputs.dataset_inputs:
        target.store.client.log_inputs(target.run_id, run.inputs.dataset_inputs)


def _copy_metrics(source: Target, target: Target) -> None:
    """All values with their times and steps; MLflow keeps equal ones once."""
    from mlflow.entities import Metric

    metrics = [Metric(m.key, m.value, m.timestamp, m.step) for m in _points(source)]
    for i in range(0, len(metrics), BATCH):
        target.store.client.log_batch(target.run_id, metrics[i : i + BATCH])


def _points(source: Target) -> "list[Metric]":
    """Every value of every metric of a run."""
    client = source.store.client
    keys = client.get_run(source.run_id).data.metrics
    return [m for key in keys for m in client.get_metric_history(source.run_id, key)]


def _copy_files(source: Target, target: Target) -> None:
    client = source.store.client
    if not client.list_artifacts(source.run_id):
        return
    with tempfile.TemporaryDirectory() as scratch:
        uri = client.get_run(source.run_id).info.artifact_uri
        folder = logged_model.fetch(source.store, uri, Path(scratch))
        target.store.client.log_artifacts(target.run_id, str(folder))


def _copy_model(source: Target, target: Target) -> None:
    """The run's model, and the numbers that describe it."""
    mine = logged_model.of_run(source)
    if mine is not None:
        theirs: str | None = model(source.store, target, mine)
        points = source.store.client.get_logged_model(mine).metrics or []
    else:
        # An evaluation that continued a run of the server: all its numbers are of that model.
        theirs = logged_model.of_run(target)
        points = _points(source)
    if theirs is not None:
        _describe(target, theirs, points)


def model(here: Store, target: Target, model_id: str) -> str:
    """The server's copy of a logged model, made when the run there has none."""
    model = here.client.get_logged_model(model_id)
    digest = model.tags[logged_model.ONNX_SHA256]
    present = logged_model.find(target, digest)
    if present is not None:
        return present
    with tempfile.TemporaryDirectory() as scratch:
        folder = logged_model.fetch(here, model.artifact_location, Path(scratch))
        return logged_model.publish(target, folder, digest, 0)


def _describe(target: Target, model_id: str, points: "list[Metric]") -> None:
    """Tie numbers to a model of the server, leaving out those that it has."""
    from mlflow.entities import Metric

    client = target.store.client
    known = {(m.key, m.step, m.timestamp) for m in client.get_logged_model(model_id).metrics or []}
    metrics = [
        Metric(m.key, m.value, m.timestamp, m.step, model_id=model_id, run_id=target.run_id)
        for m in points
        if (m.key, m.step, m.timestamp) not in known
    ]
    if metrics:
        client.log_batch(target.run_id, metrics)
