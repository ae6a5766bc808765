"""The calls that write into a run, as few as MLflow's limits allow."""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.lib import files
from stages.lib.tracking.store import Target

MOST = 100  # tags or parameters a call
CONTEXTS = {"train": "training"}  # MLflow's word for what a file of ours is for


@dataclass(frozen=True)
class Pictures:
    """A file of pictures that a run reads."""

    path: Path
    n: int
    sha256: str

    @classmethod
    def of(cls, path: Path, n: int) -> "Pictures":
        """The file as it is now."""
        return cls(path, n, files.sha256(path))


@dataclass(frozen=True)
class Point:
    """One value of a metric; `moment` in milliseconds since 1970."""

    key: str
    value: float
    step: int
    moment: int


def now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return time.time_ns() // 1_000_000


def tags(target: Target, values: Mapping[str, str]) -> None:
    """Set tags of a run."""
    from mlflow.entities import RunTag

    entities = [RunTag(key, value) for key, value in values.items()]
    for i in range(0, len(entities), MOST):
        target.store.client.log_batch(target.run_id, tags=entities[i : i + MOST])


def params(target: Target, values: Mapping[str, str]) -> None:
    """Write parameters of a run."""
    from mlflow.entities import Param

    entities = [Param(key, value) for key, value in values.items()]
    for i in range(0, len(entities), MOST):
        target.store.client.log_batch(target.run_id, params=entities[i : i + MOST])


def metrics(target: Target, points: Sequence[Point], model_id: str | None = None) -> None:
    """Write numbers of a run and, if given, of its model."""
    from mlflow.entities import Metric

    entities = [
        Metric(p.key, p.value, p.moment, p.step, model_id=model_id, run_id=target.run_id)
        for p in points
    ]
    target.store.client.log_batch(target.run_id, entities)


def inputs(target: Target, pictures: list[Pictures]) -> None:
    """Write what data a run reads, by the hashes that DVC's stages use too.

    MLflow's own data set classes would hash the arrays again, 0.3 to 1 s each.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    found = []
    for one in pictures:
        stem = one.path.stem
        entity = Dataset(
            name=stem,
            digest=one.sha256[:36],  # MLflow's limit
            source_type="local",
            source=json.dumps({"uri": one.path.as_posix()}),
            profile=json.dumps({"num_rows": one.n, "sha256": one.sha256}),
        )
        context = CONTEXTS.get(stem, stem)
        found.append(DatasetInput(entity, [InputTag("mlflow.data.context", context)]))
    target.store.client.log_inputs(target.run_id, found)


def text(target: Target, name: str, content: str) -> None:
    """Keep a text with the run as file `name`."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / name
        path.write_text(content, encoding="utf-8")
        target.store.client.log_artifact(target.run_id, str(path))


def end(target: Target, status: str, moment: int, clock: str, seconds: float) -> None:
    """Close a run; `clock` is the metric that adds up the seconds spent on it."""
    client = target.store.client
    before = client.get_run(target.run_id).data.metrics.get(clock, 0.0)
    metrics(target, [Point(clock, round(before + seconds, 3), 0, moment)])
    client.set_terminated(target.run_id, status, moment)
