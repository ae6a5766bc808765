"""From a decoded image of any size to the network's input, as one ONNX graph.

The stage `split` runs this graph to make its arrays, the service and the commands run it for each
image, and the exported model carries it in front of the network. So training and serving cannot
differ. An image that has the right size already comes out as it went in, bit for bit.
"""

import functools
import os
from typing import Any

import numpy as np

# Its packages for Linux report each model that is loaded to their maker, unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from digits.preprocessing.arrays import ByteArray
from digits.preprocessing.image_format import ImageFormat

INPUT = "pictures"  # uint8 (n, height, width, 3), RGB
OUTPUT = "images"  # uint8 (n, *format.shape)
OPSET = 20  # that of the exporter of torch
GROUND = 128  # what pads an image that is not square: neither dark nor light
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in Pillow and OpenCV
PREFIX = "front_"  # of the names of values between input and output


class ImageFront:
    """The graph of a format on ONNX Runtime, on one thread."""

    def __init__(self, image_format: ImageFormat) -> None:
        self.format = image_format
        self.session = _session(image_format)

    def fit(self, pixels: ByteArray) -> ByteArray:
        """Return `pixels`, uint8 (height, width, 3) in RGB or (height, width) in gray, fitted.

        The result has the shape of the format. Pixels that have it already are returned as
        they are.
        """
        if pixels.shape == self.format.shape:
            return pixels  # what the graph would give, a tenth of a millisecond later
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[..., None], 3, axis=2)
        batch = np.ascontiguousarray(pixels)[None]
        return np.asarray(self.session.run(None, {INPUT: batch})[0][0])


@functools.cache
def _session(image_format: ImageFormat) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = 1
    model = build_model(image_format).SerializeToString(deterministic=True)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def build_model(image_format: ImageFormat) -> ModelProto:
    """Return the graph of a format as a model; equal formats give equal bytes."""
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(build_graph(image_format), opset_imports=[opset], ir_version=10)


def build_graph(image_format: ImageFormat) -> GraphProto:
    """Return the graph: resize with anti-aliasing, made square by `fit`, gray if asked.

    It has no names but INPUT, OUTPUT and some that begin with PREFIX.
    """
    fit = _crop if image_format.fit == "crop" else _pad
    nodes = [
        _node("Transpose", [INPUT], "front_planes", perm=[0, 3, 1, 2]),
        _node("Shape", ["front_planes"], "front_batch", start=0, end=2),
        _node("Shape", ["front_planes"], "front_size", start=2, end=4),
        *fit(),
        *(_gray() if image_format.channels == 1 else _color()),
    ]
    used = {name for node in nodes for name in node.input}
    constants = [
        numpy_helper.from_array(value, name)
        for name, value in _constants(image_format.side).items()
        if name in used
    ]
    any_size = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", "height", "width", 3])
    fitted = helper.make_tensor_value_info(OUTPUT, TensorProto.UINT8, ["n", *image_format.shape])
    return helper.make_graph(nodes, "front", [any_size], [fitted], constants)


def put_before(graph: GraphProto, image_format: ImageFormat) -> None:
    """Put the graph of a format before another, whose input is OUTPUT."""
    front = build_graph(image_format)
    nodes = [*front.node, *graph.node]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.extend(front.input)
    graph.initializer.extend(front.initializer)


def take_off(graph: GraphProto, image_format: ImageFormat) -> None:
    """Undo `put_before`: leave the graph that begins at OUTPUT.

    Raises ValueError unless the graph begins with exactly that of the format.
    """
    front = build_graph(image_format)
    nodes, rest = graph.node[: len(front.node)], graph.node[len(front.node) :]
    is_front = [tensor.name.startswith(PREFIX) for tensor in graph.initializer]
    constants = [t for t, of_front in zip(graph.initializer, is_front, strict=True) if of_front]
    same = list(nodes) == list(front.node) and list(graph.input) == list(front.input)
    hidden = {INPUT, *(name for node in front.node for name in node.output)} - {OUTPUT}
    hidden |= {tensor.name for tensor in constants}
    shared = hidden & {name for node in rest for name in (*node.input, *node.output)}
    if not same or constants != list(front.initializer) or shared:
        raise ValueError("the way from an image to the network's input is another")
    del graph.node[: len(front.node)], graph.input[:]
    graph.input.extend(front.output)
    for position in reversed(range(len(is_front))):
        if is_front[position]:
            del graph.initializer[position]


def _constants(side: int) -> dict[str, np.ndarray]:
    """Return all numbers that some format needs."""
    return {
        "front_axes": np.array([2, 3]),
        "front_none": np.array([0, 0]),
        "front_one": np.array([1]),
        "front_two": np.array([2]),
        "front_side": np.array([side]),
        "front_sides": np.array([side, side]),
        "front_double": np.array([2 * side]),
        "front_ground": np.array(GROUND, np.uint8),
        "front_luma": np.array(LUMA, np.float32)[:, None, None],
        "front_black": np.array(0, np.float32),
        "front_white": np.array(255, np.float32),
    }


def _node(operator: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(operator, inputs, [output], name=output, **attributes)


def _resize(planes: str, size: str, output: str) -> list[NodeProto]:
    """Resize (n, 3, height, width) to exactly what Pillow's BILINEAR gives."""
    inputs = [planes, "", "", "front_sizes"]
    resize: dict[str, Any] = {"mode": "linear", "antialias": 1, "exclude_outside": 1}
    return [
        _node("Concat", ["front_batch", size], "front_sizes", axis=0),
        _node("Resize", inputs, output, **resize),
    ]


def _pad() -> list[NodeProto]:
    """The longer side becomes the format's, the other at least 1 pixel; ground fills the square.

    A side becomes (2 * its pixels * format.side + longest) // (2 * longest), in whole numbers.
    """
    pads = ["front_none", "front_before", "front_none", "front_after"]
    return [
        _node("ReduceMax", ["front_size"], "front_longest"),
        _node("Mul", ["front_size", "front_double"], "front_product"),
        _node("Add", ["front_product", "front_longest"], "front_dividend"),
        _node("Mul", ["front_longest", "front_two"], "front_divisor"),
        _node("Div", ["front_dividend", "front_divisor"], "front_quotient"),
        _node("Max", ["front_quotient", "front_one"], "front_fitted"),
        *_resize("front_planes", "front_fitted", "front_resized"),
        _node("Sub", ["front_side", "front_fitted"], "front_missing"),
        _node("Div", ["front_missing", "front_two"], "front_before"),
        _node("Sub", ["front_missing", "front_before"], "front_after"),
        _node("Concat", pads, "front_pads", axis=0),
        _node("Pad", ["front_resized", "front_pads", "front_ground"], "front_square"),
    ]


def _crop() -> list[NodeProto]:
    """The square in the middle is cut out, then resized: a long strip becomes nothing large."""
    middle = ["front_planes", "front_starts", "front_ends", "front_axes"]
    return [
        _node("ReduceMin", ["front_size"], "front_shortest"),
        _node("Sub", ["front_size", "front_shortest"], "front_surplus"),
        _node("Div", ["front_surplus", "front_two"], "front_starts"),
        _node("Add", ["front_starts", "front_shortest"], "front_ends"),
        _node("Slice", middle, "front_middle"),
        *_resize("front_middle", "front_sides", "front_square"),
    ]


def _gray() -> list[NodeProto]:
    """(n, 3, side, side) to (n, side, side): the brightness of each pixel, rounded."""
    limits = ["front_rounded", "front_black", "front_white"]
    return [
        _node("Cast", ["front_square"], "front_float", to=TensorProto.FLOAT),
        _node("Mul", ["front_float", "front_luma"], "front_weighted"),
        _node("ReduceSum", ["front_weighted", "front_one"], "front_brightness", keepdims=0),
        _node("Round", ["front_brightness"], "front_rounded"),
        _node("Clip", limits, "front_clipped"),
        _node("Cast", ["front_clipped"], OUTPUT, to=TensorProto.UINT8),
    ]


def _color() -> list[NodeProto]:
    """(n, 3, side, side) to (n, side, side, 3)."""
    return [_node("Transpose", ["front_square"], OUTPUT, perm=[0, 2, 3, 1])]
