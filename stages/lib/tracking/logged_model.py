"""A folder of model files as a logged model of a run, in MLflow's ONNX flavor."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib import files
from stages.lib.tracking import lineage
from stages.lib.tracking.store import Store, Target

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, LoggedModelOutput
    from mlflow.entities import Run as MlflowRun
    from numpy.typing import NDArray

NAME = "model"
GRAPH = "model.onnx"
ONNX_SHA256 = "onnx_sha256"
REQUIRED = ("mlflow", "numpy", "onnx", "onnxruntime")


def log(target: Target, folder: Path) -> str:
    """Log the model in `folder` unless this run has it already. Returns the model's id."""
    digest = files.sha256(folder / GRAPH)
    with tempfile.TemporaryDirectory() as scratch:
        if not _ready(_find(target, digest)):
            pack(folder, Path(scratch))
        return publish(target, Path(scratch), digest, 0)


def _find(target: Target, digest: str) -> "LoggedModel | None":
    """The run's model whose ONNX file has SHA-256 `digest`, perhaps without all its files."""
    models = target.store.client.search_logged_models(
        [target.store.experiment], f"source_run_id = '{target.run_id}'"
    )
    same = [m for m in models if m.tags.get(ONNX_SHA256) == digest and str(m.status) != "FAILED"]
    return max(same, key=_ready, default=None)


def _ready(model: "LoggedModel | None") -> bool:
    return model is not None and str(model.status) == "READY"


def of_run(target: Target) -> str | None:
    """The id of the model that the run logged last."""
    models = _models(target.store.client.get_run(target.run_id))
    return str(models[-1].model_id) if models else None


def _models(run: "MlflowRun") -> "list[LoggedModelOutput]":
    return run.outputs.model_outputs if run.outputs else []


def pack(folder: Path, packed: Path, example: "NDArray[Any] | None" = None) -> None:
    """Make `packed` an MLflow model of the files in `folder`, their bytes unchanged."""
    import mlflow.onnx
    import numpy as np
    import onnx
    from mlflow.models import infer_signature

    example = np.zeros((2, 28, 28), np.uint8) if example is None else example  # empty pictures
    versions = lineage.installed()
    mlflow.onnx.save_model(
        onnx.load(folder / GRAPH),
        packed,
        signature=infer_signature(example, _outputs(folder / GRAPH, example)),
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
    from stages.lib import classifier  # ONNX Runtime, 0.2 s

    session = classifier.session(graph)
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {session.get_inputs()[0].name: example})
    return dict(zip(names, values, strict=True))


def publish(target: Target, packed: Path, digest: str, step: int) -> str:
    """Upload a packed model and tie it to the run.

    What an earlier call, cut off at any point, has done is not done again.
    """
    from mlflow.entities import LoggedModelOutput

    client, run_id = target.store.client, target.run_id
    run = client.get_run(run_id)
    model = _find(target, digest) or client.create_logged_model(
        target.store.experiment, NAME, run_id, {ONNX_SHA256: digest}, run.data.params
    )
    if not _ready(model):
        _address(packed, run_id, model)
        client.log_model_artifacts(model.model_id, str(packed))
        client.finalize_logged_model(model.model_id, "READY")
    if model.model_id not in {output.model_id for output in _models(run)}:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=step)])
    return str(model.model_id)


def _address(packed: Path, run_id: str, model: "LoggedModel") -> None:
    """Write into the packed model's description whose it is."""
    from mlflow.models import Model

    description = Model.load(str(packed / "MLmodel"))
    description.run_id = run_id
    description.model_id = description.model_uuid = model.model_id
    description.artifact_path = model.artifact_location
    description.save(str(packed / "MLmodel"))


def fetch(store: Store, uri: str, folder: Path) -> Path:
    """Download a file or folder, such as models:/NAME/VERSION, into `folder`."""
    from mlflow.artifacts import download_artifacts

    place = {"dst_path": str(folder), "tracking_uri": store.uri, "registry_uri": store.uri}
    return Path(download_artifacts(uri, **place))
