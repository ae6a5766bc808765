"""A folder of model files as a logged model of a run, in MLflow's ONNX flavor.

Versions of a registered model, which are made from logged models, are in `digits.registry`.
"""

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits.project import hashing
from digits.tracking import mlflow_import, run_context
from digits.tracking.tracking_store import StoredRun, TrackingStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow.entities import LoggedModel, LoggedModelOutput, Run
    from numpy.typing import NDArray

ONNX_FILE = "model.onnx"
ONNX_HASH_TAG = "onnx_sha256"
REQUIRED = ("mlflow", "numpy", "onnx", "onnxruntime")


def log_model(target: StoredRun, folder: Path) -> str:
    """Log the model in `folder` unless this run has it already. Returns the model's id."""
    digest = hashing.file_sha256(folder / ONNX_FILE)
    with tempfile.TemporaryDirectory() as scratch:
        if not _is_ready(_find_by_hash(target, digest)):
            pack_model(folder, Path(scratch))
        return upload_model(target, Path(scratch), digest, 0)


def _find_by_hash(target: StoredRun, digest: str) -> "LoggedModel | None":
    """The run's model whose ONNX file has SHA-256 `digest`; some of its files may be missing."""
    client, condition = target.store.client, f"source_run_id = '{target.run_id}'"
    models = client.search_logged_models([target.store.experiment], condition)
    same = [m for m in models if m.tags.get(ONNX_HASH_TAG) == digest and str(m.status) != "FAILED"]
    return max(same, key=_is_ready, default=None)


def _is_ready(model: "LoggedModel | None") -> bool:
    return model is not None and str(model.status) == "READY"


def last_model_id(target: StoredRun) -> str | None:
    """The id of the model that the run logged last."""
    models = _models(target.store.client.get_run(target.run_id))
    return str(models[-1].model_id) if models else None


def _models(run: "Run") -> "list[LoggedModelOutput]":
    return run.outputs.model_outputs if run.outputs else []


def pack_model(folder: Path, packed: Path, example: "NDArray[Any] | None" = None) -> None:
    """Make `packed` an MLflow model of the files in `folder`, their bytes unchanged.

    `example` is a batch of two or more inputs; empty images by default.
    """
    import onnx

    flavor = mlflow_import.onnx_flavor()
    from digits.inference import classifier  # imports ONNX Runtime

    session = classifier.session(folder / ONNX_FILE)
    example = _as_input(session.get_inputs()[0].shape, example)
    flavor.save_model(
        onnx.load(folder / ONNX_FILE),
        packed,
        signature=_signature(session),
        input_example=example,
        # MLflow would look for them in a process that imports everything.
        pip_requirements=[f"{n}=={run_context.installed_packages()[n]}" for n in REQUIRED],
        save_as_external_data=False,
        onnx_execution_providers=["CPUExecutionProvider"],
    )
    for file in folder.iterdir():
        if file.is_file() and not file.name.startswith("."):
            shutil.copyfile(file, packed / file.name)


def _as_input(shape: "Sequence[int | str]", example: "NDArray[Any] | None") -> "NDArray[Any]":
    """Return an example for a graph's input of this shape, whose other sizes are names."""
    import numpy as np

    if example is None:
        example = np.zeros([2, *(n if isinstance(n, int) else 28 for n in shape[1:])], np.uint8)
    if example.ndim == 3 and len(shape) == 4:  # a gray image, where the graph takes colors
        example = np.repeat(example[..., None], 3, axis=3)
    return example


def _signature(session: Any) -> Any:
    """Return MLflow's signature of a graph: -1 where it takes any size."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def spec(value: Any, kind: type, name: str | None) -> TensorSpec:
        shape = [n if isinstance(n, int) else -1 for n in value.shape]
        return TensorSpec(np.dtype(kind), shape, name)

    (given,), outputs = session.get_inputs(), session.get_outputs()
    results = [spec(output, np.float32, output.name) for output in outputs]
    return ModelSignature(Schema([spec(given, np.uint8, None)]), Schema(results))


def upload_model(target: StoredRun, packed: Path, digest: str, step: int) -> str:
    """Upload the packed model with the ONNX file `digest` as an output of the run; return its id.

    A step that an earlier, interrupted call has done is not done again.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    client, run_id = target.store.client, target.run_id
    run = client.get_run(run_id)
    name = re.sub("[/:.%\"']", "-", run.info.run_name or "model")  # MLflow allows no others
    model = _find_by_hash(target, digest) or client.create_logged_model(
        target.store.experiment, name, run_id, {ONNX_HASH_TAG: digest}, run.data.params
    )
    if not _is_ready(model):
        description = Model.load(str(packed / "MLmodel"))
        description.run_id, description.artifact_path = run_id, model.artifact_location
        description.model_id = description.model_uuid = model.model_id
        description.save(str(packed / "MLmodel"))
        client.log_model_artifacts(model.model_id, str(packed))
        client.finalize_logged_model(model.model_id, "READY")
    if model.model_id not in {output.model_id for output in _models(run)}:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=step)])
    return str(model.model_id)


def download_artifact(store: TrackingStore, uri: str, folder: Path) -> Path:
    """Download a file or folder, such as models:/NAME/VERSION, into `folder`."""
    from mlflow.artifacts import download_artifacts

    uris = {"tracking_uri": store.uri, "registry_uri": store.uri}
    return Path(download_artifacts(uri, dst_path=str(folder), **uris))
