"""A folder of model files as a logged model of a run, in MLflow's ONNX flavor."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib import files
from stages.lib.tracking import lineage
from stages.lib.tracking.database import quiet
from stages.lib.tracking.store import Store, Target

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from numpy.typing import NDArray

NAME = "model"
GRAPH = "model.onnx"
ONNX_SHA256 = "onnx_sha256"
REQUIRED = ("mlflow", "numpy", "onnx", "onnxruntime")


def log(target: Target, folder: Path, example: "NDArray[Any] | None", step: int) -> str:
    """Log the model in `folder` unless this run has it already. Returns the model's id."""
    digest = files.sha256(folder / GRAPH)
    present = find(target, digest)
    if present is not None:
        return present
    with tempfile.TemporaryDirectory() as scratch:
        packed = Path(scratch) / NAME
        pack(folder, packed, example)
        return publish(target, packed, digest, step)


def find(target: Target, digest: str) -> str | None:
    """The id of this run's model whose ONNX file has SHA-256 `digest`."""
    models = target.store.client.search_logged_models(
        [target.store.experiment], f"source_run_id = '{target.run_id}'"
    )
    return next((str(m.model_id) for m in models if _is(m, digest)), None)


def _is(model: "LoggedModel", digest: str) -> bool:
    return str(model.status) == "READY" and model.tags.get(ONNX_SHA256) == digest


def of_run(target: Target) -> str | None:
    """The id of the model that the run logged last."""
    outputs = target.store.client.get_run(target.run_id).outputs
    models = outputs.model_outputs if outputs else []
    return str(models[-1].model_id) if models else None


def pack(folder: Path, packed: Path, example: "NDArray[Any] | None" = None) -> None:
    """Make `packed` an MLflow model of the files in `folder`, their bytes unchanged."""
    quiet()
    import mlflow.onnx
    import onnx
    from mlflow.models import infer_signature

    example = _blank(folder / GRAPH) if example is None else example
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
    import onnxruntime

    runtime: Any = onnxruntime  # its names are not exported for type checkers
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(
        zip(names, session.run(names, {session.get_inputs()[0].name: example}), strict=True)
    )


def _blank(graph: Path) -> "NDArray[Any]":
    """Two empty pictures, as the model wants them."""
    import numpy as np
    import onnx

    tensor = onnx.load(graph, load_external_data=False).graph.input[0].type.tensor_type
    shape = [axis.dim_value for axis in tensor.shape.dim[1:]]
    return np.zeros((2, *shape), onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))


def publish(target: Target, packed: Path, digest: str, step: int) -> str:
    """Upload a packed model, read its ONNX file back, and tie it to the run.

    Raises ValueError when the stored bytes are not the ones that were sent.
    """
    from mlflow.entities import LoggedModelOutput

    client = target.store.client
    params = client.get_run(target.run_id).data.params
    model = client.create_logged_model(
        target.store.experiment, NAME, target.run_id, {ONNX_SHA256: digest}, params
    )
    try:
        _address(packed, target.run_id, model)
        client.log_model_artifacts(model.model_id, str(packed))
        _verify(target.store, model, digest)
    except BaseException:
        client.finalize_logged_model(model.model_id, "FAILED")
        raise
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(target.run_id, [LoggedModelOutput(model.model_id, step=step)])
    return str(model.model_id)


def _address(packed: Path, run_id: str, model: "LoggedModel") -> None:
    """Write into the packed model's description whose it is."""
    from mlflow.models import Model

    description = Model.load(str(packed / "MLmodel"))
    description.run_id = run_id
    description.model_id = description.model_uuid = model.model_id
    description.artifact_path = model.artifact_location
    description.save(str(packed / "MLmodel"))


def _verify(store: Store, model: "LoggedModel", digest: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        # models:/ID/FILE is no address: MLflow takes ID for the name of a registered model.
        found = fetch(store, f"{model.artifact_location}/{GRAPH}", Path(scratch))
        if files.sha256(found) != digest:
            raise ValueError(f"{store} returned other bytes for {GRAPH} than it was given")


def fetch(store: Store, uri: str, folder: Path) -> Path:
    """Download a file or folder, such as models:/NAME/VERSION, into `folder`."""
    from mlflow.artifacts import download_artifacts

    place = {"dst_path": str(folder), "tracking_uri": store.uri, "registry_uri": store.uri}
    return Path(download_artifacts(uri, **place))
