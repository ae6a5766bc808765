"""The calls that write a journal's entries into a run, each under the name of its kind.

Each can be repeated without harm.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from digits.tracking import logged_model
from digits.tracking.tracking_store import StoredRun

CONTEXTS = {"train": "training"}  # MLflow's word for what a file of ours is for
# A value of a metric: its name, the value, the step, and milliseconds since 1970.
Point = tuple[str, float, int, int]


def now_ms() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return time.time_ns() // 1_000_000


def tags(target: StoredRun, values: Mapping[str, str]) -> None:
    """Set tags of a run."""
    from mlflow.entities import RunTag

    entities = [RunTag(key, value) for key, value in values.items()]
    target.store.client.log_batch(target.run_id, tags=entities)


def params(target: StoredRun, values: Mapping[str, str]) -> None:
    """Write parameters of a run."""
    from mlflow.entities import Param

    entities = [Param(key, value) for key, value in values.items()]
    target.store.client.log_batch(target.run_id, params=entities)


def reopen(target: StoredRun) -> None:
    """Make an ended run RUNNING again."""
    client = target.store.client
    if "error" in client.get_run(target.run_id).data.tags:
        client.delete_tag(target.run_id, "error")  # of an earlier end
    client.update_run(target.run_id, status="RUNNING")


def metrics(
    target: StoredRun, points: Sequence[Point], *, of_model: bool = False, resumed: bool = False
) -> None:
    """Write numbers of a run and, if `of_model`, of the model that it logged last.

    Those that a `resumed` run has already keep their time, by which MLflow keeps them single.
    """
    from mlflow.entities import Metric

    client, run_id = target.store.client, target.run_id
    model = logged_model.last_model_id(target) if of_model else None
    known = client.get_run(run_id).data.metrics if resumed else {}
    moments = {
        (m.key, m.value, m.step): m.timestamp
        for key in {key for key, *_ in points} & known.keys()
        for m in client.get_metric_history(run_id, key)
    }
    entities = [
        Metric(key, value, moments.get((key, value, step), moment), step, model, run_id=run_id)
        for key, value, step, moment in points
    ]
    client.log_batch(run_id, entities)


def inputs(target: StoredRun, pictures: Sequence[tuple[str, int, str]]) -> None:
    """Write what data a run reads: the path, size and SHA-256 of each file of pictures.

    MLflow's own data set classes would hash the arrays again, 0.3 to 1 s each.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    found = []
    for path, n, sha256 in pictures:
        stem = Path(path).stem
        entity = Dataset(
            name=stem,
            digest=sha256[:36],  # MLflow's limit
            source_type="local",
            source=json.dumps({"uri": path}),
            profile=json.dumps({"num_rows": n, "sha256": sha256}),
        )
        context = CONTEXTS.get(stem, stem)
        found.append(DatasetInput(entity, [InputTag("mlflow.data.context", context)]))
    target.store.client.log_inputs(target.run_id, found)


def artifacts(target: StoredRun, kept: Path, folder: str | None = None) -> None:
    """Keep the files in `kept` with the run."""
    target.store.client.log_artifacts(target.run_id, str(kept), folder)


def model(target: StoredRun, kept: Path, digest: str, step: int) -> None:
    """Log the packed model in `kept`."""
    logged_model.upload_model(target, kept, digest, step)


def end(target: StoredRun, status: str, moment: int, clock: str, seconds: float) -> None:
    """Close a run; `clock` is the metric that adds up the seconds spent on it."""
    client = target.store.client
    history = client.get_metric_history(target.run_id, clock)
    if all(point.timestamp != moment for point in history):
        before = max((point.value for point in history), default=0.0)
        metrics(target, [(clock, round(before + seconds, 3), 0, moment)])
    client.set_terminated(target.run_id, status, moment)


def end_killed(target: StoredRun, moment: int) -> None:
    """Close a run whose process was killed, unless another one has gone on with it and ended it."""
    client = target.store.client
    if client.get_run(target.run_id).info.status == "RUNNING":
        client.set_terminated(target.run_id, "KILLED", moment)
