"""TODO"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from digits.project.errors import UserError

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto


MAX_ONNX_BYTES = (1 << 31) - 1  # bytes; what one ONNX file can have
# What the networks of this project are made of. None of these opens a file, loops or makes
# something large out of a number.
# fmt: off
OPERATORS = {
    "BatchNormalization", "Cast", "Concat", "Conv", "Div", "Gemm", "MaxPool", "Pad",
    "ReduceMean", "Relu", "Reshape", "Slice", "Sub", "Transpose", "Unsqueeze",
}
# fmt: on
MAX_NODES = 10_000
MAX_VALUES = 1 << 24  # numbers that a step may make of one picture


def read_onnx_metadata(path: Path) -> dict[str, str]:
    """The metadata of an ONNX file that holds all its numbers itself.

    Raises UserError when it is none, refers to other files, brings functions or operators
    that no network of this project has, or asks for more memory than it should.
    """
    import onnx  # 0.1 s
    from google.protobuf.message import DecodeError
    from onnx.shape_inference import InferenceError

    if path.stat().st_size > MAX_ONNX_BYTES:
        raise UserError(f"{path} is larger than an ONNX file can be; get the model anew")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        for found in _violations(model):
            raise UserError(f"{path} {found}; do not load it")
        _check_sizes(model)
    except (DecodeError, LookupError, ValueError, InferenceError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{path} is no ONNX model ({reason}); get the model anew") from error
    return {entry.key: entry.value for entry in model.metadata_props}


def _violations(model: "ModelProto") -> Iterator[str]:
    """What a model has that none of this project's has."""
    graph = model.graph
    if model.functions or model.training_info or graph.sparse_initializer:
        yield "brings functions, training or sparse weights"
    if len(graph.node) > MAX_NODES:
        yield f"has {len(graph.node):,} operators"
    for node in graph.node:
        if node.domain or node.op_type not in OPERATORS:
            yield f"uses the operator {node.domain or 'ai.onnx'}.{node.op_type}"[:80]
        if any(a.HasField("g") or a.HasField("t") or a.graphs or a.tensors for a in node.attribute):
            yield f"hides a graph or numbers in the operator {node.op_type}"
    for tensor in graph.initializer:
        if tensor.external_data or tensor.data_location or not _holds_all_values(tensor):
            yield f"does not hold the numbers of {tensor.name[:40]!r}"


def _holds_all_values(tensor: "TensorProto") -> bool:
    """Whether a tensor's bytes are as many as its shape says."""
    from onnx import helper

    size = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return min(tensor.dims, default=1) > 0 and math.prod(tensor.dims) * size == len(tensor.raw_data)


def _check_sizes(model: "ModelProto") -> None:
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
        if math.prod(known) > MAX_VALUES:
            raise ValueError(f"{name[:40]} becomes larger than {MAX_VALUES:,} numbers a picture")
