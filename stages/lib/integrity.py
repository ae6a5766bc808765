"""Whether a folder is exactly the model that its manifest describes.

For models that come from elsewhere; nothing is loaded here. Files are measured and hashed. An
ONNX file, which can point at other files, bring operators of its own and ask for memory without
end, is taken apart, and only what this project exports is let through. Weights are hashed alone:
they are a pickle, which nothing but `torch.load(weights_only=True)` opens.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib import files
from stages.lib.errors import UserError

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

WEIGHTS = "weights.pt"
ONNX = "model.onnx"
NAMES = {files.MANIFEST, WEIGHTS, ONNX}
OWN = {"files", "content_sha256", "run_id"}  # of a manifest; the rest is in the ONNX file, too

LARGEST = (1 << 31) - 1  # bytes; what one ONNX file can have
# What the networks of this project are made of. None of these opens a file, loops or makes
# something large out of a number.
# fmt: off
OPERATORS = {
    "BatchNormalization", "Cast", "Concat", "Conv", "Div", "Gemm", "MaxPool", "Pad",
    "ReduceMean", "Relu", "Reshape", "Slice", "Sub", "Transpose", "Unsqueeze",
}
# fmt: on
MOST_NODES = 10_000
MOST_VALUES = 1 << 24  # numbers that a step may make of one picture

Manifest = dict[str, Any]


def check(folder: Path, content: str | None = None) -> Manifest:
    """The manifest of the model in `folder`, when everything about the folder is right.

    `content` is the content hash that somebody else remembers. Raises UserError naming the
    first thing that is missing, extra, altered or no part of a model.
    """
    _plain(folder)
    manifest = files.read_manifest(folder, content)
    _agree(manifest, _described(folder / ONNX), folder)
    return manifest


def intact(folder: Path, content: str | None = None) -> bool:
    """Whether `check` finds nothing wrong."""
    try:
        check(folder, content)
    except UserError:
        return False
    return True


def _plain(folder: Path) -> None:
    """Raise UserError unless `folder` is a folder of the three files of a model alone."""
    if folder.is_symlink() or not folder.is_dir():
        raise UserError(f"{folder} is no folder; expected one with {', '.join(sorted(NAMES))}")
    found = sorted(folder.iterdir())
    for path in found:
        if path.name not in NAMES or path.is_symlink() or not path.is_file():
            raise UserError(f"{path} is no file of a model; get the model anew")
    if missing := NAMES - {path.name for path in found}:
        raise UserError(f"{folder / min(missing)} is missing; get the model anew")


def _agree(manifest: Manifest, described: dict[str, str], folder: Path) -> None:
    """Raise UserError unless the manifest says of the model what the ONNX file says."""
    said = {k: json.dumps(v, sort_keys=True) for k, v in manifest.items() if k not in OWN}
    for key in sorted(said.keys() | described.keys()):
        if said.get(key) != described.get(key):
            found = f"{folder / files.MANIFEST} and {ONNX} differ in {key!r}"
            raise UserError(f"{found}; get the model anew")


def _described(path: Path) -> dict[str, str]:
    """The metadata of an ONNX file that holds all its numbers itself.

    Raises UserError when it is none, refers to other files, brings functions or operators
    that no network of this project has, or asks for more memory than it should.
    """
    import onnx  # 0.1 s
    from google.protobuf.message import DecodeError
    from onnx.shape_inference import InferenceError

    if path.stat().st_size > LARGEST:
        raise UserError(f"{path} is larger than an ONNX file can be; get the model anew")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        for found in _foreign(model):
            raise UserError(f"{path} {found}; do not load it")
        _measure(model)
    except (DecodeError, LookupError, ValueError, InferenceError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{path} is no ONNX model ({reason}); get the model anew") from error
    return {entry.key: entry.value for entry in model.metadata_props}


def _foreign(model: "ModelProto") -> Iterator[str]:
    """What a model has that none of this project's has."""
    graph = model.graph
    if model.functions or model.training_info or graph.sparse_initializer:
        yield "brings functions, training or sparse weights"
    if len(graph.node) > MOST_NODES:
        yield f"has {len(graph.node):,} operators"
    for node in graph.node:
        if node.domain or node.op_type not in OPERATORS:
            yield f"uses the operator {node.domain or 'ai.onnx'}.{node.op_type}"[:80]
        if any(a.HasField("g") or a.HasField("t") or a.graphs or a.tensors for a in node.attribute):
            yield f"hides a graph or numbers in the operator {node.op_type}"
    for tensor in graph.initializer:
        if tensor.external_data or tensor.data_location or not _whole(tensor):
            yield f"does not hold the numbers of {tensor.name[:40]!r}"


def _whole(tensor: "TensorProto") -> bool:
    """Whether a tensor's bytes are as many as its shape says."""
    from onnx import helper

    size = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return min(tensor.dims, default=1) > 0 and math.prod(tensor.dims) * size == len(tensor.raw_data)


def _measure(model: "ModelProto") -> None:
    """Raise ValueError where a step makes too many numbers, or nobody can say how many.

    What the file says of its steps is not asked; the weights do not matter and are dropped.
    """
    from onnx import shape_inference

    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > 1024:
            tensor.ClearField("raw_data")
    del model.graph.value_info[:]
    found = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {v.name: v.type.tensor_type.shape.dim for v in (*found.value_info, *found.output)}
    for name in (name for node in model.graph.node for name in node.output):
        known = [axis.dim_value for axis in shapes.get(name, ()) if axis.dim_value]
        if name not in shapes or len(shapes[name]) > len(known) + 1:
            raise ValueError(f"how large {name[:40]} becomes is open")
        if math.prod(known) > MOST_VALUES:
            raise ValueError(f"{name[:40]} becomes larger than {MOST_VALUES:,} numbers a picture")
