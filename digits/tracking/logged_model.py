"""A folder of model files as a logged model of a run, in MLflow's ONNX flavor."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits.project import hashing
from digits.tracking import run_context
from digits.tracking.tracking_store import StoredRun, TrackingStore

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, LoggedModelOutput
    from mlflow.entities import Run as MlflowRun
    from numpy.typing import NDArray


NAME = "model"
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
    """The run's model whose ONNX file has SHA-256 `digest`, perhaps without all its files."""
    models = target.store.client.search_logged_models(
        [target.store.experiment], f"source_run_id = '{target.run_id}'"
    )
    same = [m for m in models if m.tags.get(ONNX_HASH_TAG) == digest and str(m.status) != "FAILED"]
    return max(same, key=_is_ready, default=None)


def _is_ready(model: "LoggedModel | None") -> bool:
    return model is not None and str(model.status) == "READY"


def last_model_id(target: StoredRun) -> str | None:
    """The id of the model that the run logged last."""
    models = _models(target.store.client.get_run(target.run_id))
    return str(models[-1].model_id) if models else None


def _models(run: "MlflowRun") -> "list[LoggedModelOutput]":
    return run.outputs.model_outputs if run.outputs else []


def pack_model(folder: Path, packed: Path, example: "NDArray[Any] | None" = None) -> None:
    """Make `packed` an MLflow model of the files in `folder`, their bytes unchanged."""
    import mlflow.onnx
    import numpy as np
    import onnx
    from mlflow.models import infer_signature

    example = np.zeros((2, 28, 28), np.uint8) if example is None else example  # empty pictures
    versions = run_context.installed_packages()
    mlflow.onnx.save_model(
        onnx.load(folder / ONNX_FILE),
        packed,
        signature=infer_signature(example, _outputs(folder / ONNX_FILE, example)),
        input_example=example,
        # Given, because finding them out takes a process that imports everything: 12 s.
        pip_requirements=[f"{name}=={versions[name]}" for name in REQUIRED],
        save_as_external_data=False,
        onnx_execution_providers=["CPUExecutionProvider"],
    )
    for file in folder.iterdir():
        if file.is_file() and not file.name.startswith("."):
            shutil.copyfile(file, packed / file.name)


def _outputs(graph: Path, example: "NDArray[Any]") -> dict[str, "NDArray[Any]"]:
    from digits.inference import classifier  # ONNX Runtime, 0.2 s

    session = classifier.session(graph)
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {session.get_inputs()[0].name: example})
    return dict(zip(names, values, strict=True))


def upload_model(target: StoredRun, packed: Path, digest: str, step: int) -> str:
    """Upload a packed model and tie it to the run.

    What an earlier call, cut off at any point, has done is not done again.
    """
    from mlflow.entities import LoggedModelOutput

    client, run_id = target.store.client, target.run_id
    run = client.get_run(run_id)
    model = _find_by_hash(target, digest) or client.create_logged_model(
        target.store.experiment, NAME, run_id, {ONNX_HASH_TAG: digest}, run.data.params
    )
    if not _is_ready(model):
        _write_owner(packed, run_id, model)
        client.log_model_artifacts(model.model_id, str(packed))
        client.finalize_logged_model(model.model_id, "READY")
    if model.model_id not in {output.model_id for output in _models(run)}:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=step)])
    return str(model.model_id)


def _write_owner(packed: Path, run_id: str, model: "LoggedModel") -> None:
    """Write into the packed model's description whose it is."""
    from mlflow.models import Model

    description = Model.load(str(packed / "MLmodel"))
    description.run_id = run_id
    description.model_id = description.model_uuid = model.model_id
    description.artifact_path = model.artifact_location
    description.save(str(packed / "MLmodel"))


def download_artifact(store: TrackingStore, uri: str, folder: Path) -> Path:
    """Download a file or folder, such as models:/NAME/VERSION, into `folder`."""
    from mlflow.artifacts import download_artifacts

    place = {"dst_path": str(folder), "tracking_uri": store.uri, "registry_uri": store.uri}
    return Path(download_artifacts(uri, **place))
