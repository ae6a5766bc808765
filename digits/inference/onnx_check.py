"""Parse an ONNX file without running it, and accept only what this project exports.

A graph that takes images of any size must begin with exactly `preprocessing.image_front`'s; the
rest is checked as the graph of a network, whose input has a known size.
Hashes and the manifest are checked elsewhere; `verdict_cache` keeps the result, and imports this
module, and onnx with it, only for a file that it does not know.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, shape_inference

from digits.inference import model_manifest
from digits.preprocessing.class_names import can_be_shown
from digits.preprocessing.image_format import ImageFormat
from digits.project.errors import UserError

MAX_ONNX_BYTES = (1 << 31) - 1  # protobuf's own limit
# The operators of this project's networks. None of them opens a file, loops, or makes something
# large out of a number.
OPERATORS = {"BatchNormalization", "Cast", "Concat", "Conv", "Div", "Gemm", "MaxPool", "Pad"}
OPERATORS |= {"ReduceMean", "Relu", "Reshape", "Slice", "Sub", "Transpose", "Unsqueeze"}
# Those that remove the background of glyphs.
OPERATORS |= {"Clip", "Greater", "Less", "ReduceMax", "ReduceMin", "Where"}
# And those of torchvision's.
OPERATORS |= {"Add", "Gelu", "HardSigmoid", "HardSwish", "LayerNormalization", "MatMul", "Mul"}
OPERATORS |= {"Sigmoid"}
MAX_NODES = 10_000
MAX_VALUES = 1 << 24  # values that a node may output for one image
MAX_OPERATIONS = 10**11  # multiplications for one image: 20 times those of a ResNet-50
MANY = 1000  # images at once


def read_onnx_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file that holds all its weights itself.

    Raises UserError when it is no ONNX file, refers to other files, has functions or operators
    that no network of this project has, or asks for more memory than it should.
    """
    if path.stat().st_size > MAX_ONNX_BYTES:
        raise UserError(f"{path} is larger than an ONNX file can be; get the model anew")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        form = _image_format(metadata)
        if form.kind == "images" and not model.functions:
            from digits.preprocessing import image_front  # imports ONNX Runtime

            image_front.take_off(model.graph, form)
        for violation in _violations(model):
            raise UserError(f"{path} {violation}; do not load it")
        shapes = _check_sizes(model)
        _check_signature(model.graph, shapes, form, _class_names(metadata))
    except (DecodeError, LookupError, ValueError, shape_inference.InferenceError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{path} is no ONNX model ({reason}); get the model anew") from error
    return metadata


def _image_format(metadata: dict[str, str]) -> ImageFormat:
    described = {"format": json.loads(metadata["format"])} if "format" in metadata else {}
    return model_manifest.image_format(described)


def _class_names(metadata: dict[str, str]) -> list[str]:
    """Return the names of the classes. Raises ValueError unless each is one and can be shown."""
    names = json.loads(metadata.get("classes", "0"))
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError("its classes are no list of names")
    if len(set(names)) < len(names) or not all(map(can_be_shown, names)):
        raise ValueError("a name of its classes appears twice or cannot be shown")
    return names


def _check_signature(
    graph: GraphProto, shapes: dict[str, list[int]], form: ImageFormat, names: list[str]
) -> None:
    """Raise ValueError unless images are all that comes in, and a number for each class goes out.

    What comes into a network behind the front of `image_front` is that front's output.
    """
    (images, *others), (logits, *more) = graph.input, graph.output
    kind = images.type.tensor_type.elem_type, logits.type.tensor_type.elem_type
    expected = [1, *form.shape], TensorProto.UINT8
    is_input = form.kind == "images" or (shapes[images.name], kind[0]) == expected
    is_output = (shapes[logits.name], kind[1]) == ([1, len(names)], TensorProto.FLOAT)
    if others or more or not is_input or not is_output:
        raise ValueError(f"it is not from {form.side} x {form.side} pixels to {len(names)} classes")


def _violations(model: ModelProto) -> Iterator[str]:
    """Yield what the model has and no network of this project has, as ends of a sentence."""
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


def _holds_all_values(tensor: TensorProto) -> bool:
    """Return whether a tensor has as many bytes as its shape and type require."""
    size = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return min(tensor.dims, default=1) > 0 and math.prod(tensor.dims) * size == len(tensor.raw_data)


def _check_sizes(model: ModelProto) -> dict[str, list[int]]:
    """Return the shape of every value for one image.

    Raises ValueError if the network takes too much memory or arithmetic for an image, or if that
    grows faster than the number of images. Sizes are inferred, not taken from the file. Large
    weights do not matter for that and are dropped from `model`.
    """
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > 1024:
            tensor.ClearField("raw_data")
    one, many = (_infer_shapes(model, images) for images in (1, MANY))
    for name in (name for node in model.graph.node for name in node.output):
        size = math.prod(one[name])
        if size > MAX_VALUES:
            raise ValueError(f"{name[:40]} has more than {MAX_VALUES:,} values for an image")
        if math.prod(many[name]) > MANY * size:
            raise ValueError(f"{name[:40]} grows faster than the number of images")
    if sum(_count_operations(node, one) for node in model.graph.node) > MAX_OPERATIONS:
        raise ValueError(f"an image takes more than {MAX_OPERATIONS:,} multiplications")
    return one


def _infer_shapes(model: ModelProto, images: int) -> dict[str, list[int]]:
    """Return the shape of every value for so many images. Raises ValueError for an unknown one."""
    graph = model.graph
    axes = graph.input[0].type.tensor_type.shape.dim
    if not axes:
        raise ValueError("the input has no shape")
    axes[0].dim_value = images
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    values = (*inferred.value_info, *inferred.input, *inferred.output)
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in values:
        shape = value.type.tensor_type.shape.dim
        if not all(axis.HasField("dim_value") for axis in shape):
            raise ValueError(f"the size of {value.name[:40]} is unknown")
        shapes[value.name] = [axis.dim_value for axis in shape]
    return shapes


def _count_operations(node: NodeProto, shapes: dict[str, list[int]]) -> int:
    """Return about how many multiplications a node needs: at least one for each value."""
    inputs = [shapes[name] for name in node.input if name]
    outputs = sum(math.prod(shapes[name]) for name in node.output if name)
    each = 1
    if node.op_type == "Conv":
        each = math.prod(inputs[1][1:])
    elif node.op_type in {"Gemm", "MatMul"}:
        each = max(inputs[0], default=1)
    elif node.op_type == "MaxPool":
        kernels = (a.ints for a in node.attribute if a.name == "kernel_shape")
        each = math.prod(next(kernels, ()))
    return outputs * each + sum(map(math.prod, inputs))
