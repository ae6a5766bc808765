"""The Open Inference Protocol, version 2, for clients of KServe and Triton.

Tensors are sent as JSON, or with the binary extension: their bytes follow the JSON, and the
header Inference-Header-Content-Length gives the length of the JSON.
"""

from importlib import metadata
from itertools import chain
from typing import Annotated, Any, Literal, NotRequired

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from digits.preprocessing.image_format import ImageFormat
from digits.service import responses, tensor_payloads
from digits.service.dynamic_batching import BatchQueue, ImageArray, ModelOutput
from digits.service.openapi_routes import ApiRoute
from digits.service.responses import RequestBody, RequestRefusedError
from digits.service.served_model import ServedModel

JSON_LENGTH_HEADER = "inference-header-content-length"
OutputName = Literal["logits", "probabilities"]  # fields of ModelOutput
OUTPUTS: tuple[OutputName, ...] = ("logits", "probabilities")


class ProtocolModel(RequestBody):
    """A part of a request. Fields that only other servers know are ignored."""

    model_config = ConfigDict(extra="ignore")


class TensorParameters(ProtocolModel):
    """Whether a tensor is sent, or requested, as bytes after the JSON."""

    binary_data_size: int | None = None
    binary_data: bool | None = None
    binary_data_output: bool = False


class InputTensor(ProtocolModel):
    """The images, under either name.

    `data` is flat or nested. Without it, the bytes follow the JSON.
    """

    name: Literal["pictures", "images"]
    datatype: Literal["UINT8"]
    shape: Annotated[list[int], Field(description="[n, side, side] or [n, height, width, 3]")]
    data: Annotated[list[Any] | None, Field(min_length=1)] = None
    parameters: TensorParameters = TensorParameters()


class RequestedOutput(ProtocolModel):
    """An output that the client wants."""

    name: OutputName
    parameters: TensorParameters = TensorParameters()


class InferenceRequest(ProtocolModel):
    """Images, and the outputs to compute; without `outputs`, the logits."""

    id: str | None = None
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=1)]
    outputs: list[RequestedOutput] | None = None
    parameters: TensorParameters = TensorParameters()

    @property
    def binary_by_output(self) -> dict[OutputName, bool]:
        """The requested outputs, and whether each is to be sent as bytes."""
        default = self.parameters.binary_data_output
        outputs = self.outputs or [RequestedOutput(name="logits")]
        pairs = [(output.name, output.parameters.binary_data) for output in outputs]
        return {name: default if binary is None else binary for name, binary in pairs}


class OutputTensor(TypedDict):
    """An output, with its data, or with the number of its bytes after the JSON."""

    name: str
    datatype: str
    shape: list[int]
    data: NotRequired[list[float]]
    parameters: NotRequired[dict[str, int]]


class InferenceResponse(TypedDict):
    """The model's outputs."""

    model_name: str
    model_version: str
    id: NotRequired[str]
    outputs: list[OutputTensor]


def routes(queue: BatchQueue) -> list[ApiRoute]:
    """Return the routes of the protocol."""

    async def infer(request: Request) -> Response:
        """Compute logits or probabilities of images."""
        _requested_model(request, queue)
        length = request.headers.get(JSON_LENGTH_HEADER)
        form = queue.holder.served.classifier.format
        parsed, images = await queue.parse(_parse_request, request["body"], length, form)
        return _response(parsed, await queue.predict(images))

    async def model(request: Request) -> Response:
        """The inputs and outputs of the model."""
        served = _requested_model(request, queue)
        model = served.classifier
        image, row = tensor_payloads.accepted_shape(model.format), [-1, len(model.classes)]
        content = {
            "name": served.name,
            "versions": [served.version],
            "platform": "onnx_onnxv1",
            "inputs": [{"name": served.input_name, "datatype": "UINT8", "shape": image}],
            "outputs": [{"name": name, "datatype": "FP32", "shape": row} for name in OUTPUTS],
        }
        return responses.model_response(content, served)

    async def model_ready(request: Request) -> Response:
        """Check that the model can be used."""
        served = _requested_model(request, queue)
        return responses.model_response({"name": served.name, "ready": True}, served)

    def routes_below(path: str) -> list[ApiRoute]:
        return [
            ApiRoute(f"{path}/infer", infer, response=InferenceResponse, body=InferenceRequest),
            ApiRoute(path, model, response=dict),
            ApiRoute(f"{path}/ready", model_ready, response=dict),
        ]

    path = "/v2/models/{name}"
    return _server_routes(queue) + routes_below(path) + routes_below(f"{path}/versions/{{version}}")


def _server_routes(queue: BatchQueue) -> list[ApiRoute]:
    async def server(_: Request) -> Response:
        """The name, version and protocol extensions of this server."""
        content = {"name": "digits", "version": metadata.version("digits")}
        return responses.json_response(content | {"extensions": ["binary_tensor_data"]})

    async def live(_: Request) -> Response:
        """Check that the process answers."""
        return responses.json_response({"live": True})

    async def ready(_: Request) -> Response:
        """Check that the service is ready: 200, or 503 while it shuts down."""
        is_ready = queue.holder.ready
        return responses.json_response({"ready": is_ready}, 200 if is_ready else 503)

    return [
        ApiRoute("/v2", server, response=dict),
        ApiRoute("/v2/health/live", live, response=dict[str, bool]),
        ApiRoute("/v2/health/ready", ready, response=dict[str, bool]),
    ]


def _requested_model(request: Request, queue: BatchQueue) -> ServedModel:
    """Return the served model. Raises RequestRefusedError if the path names another."""
    served, path = queue.holder.served, request.path_params
    if path["name"] != served.name or path.get("version", served.version) != served.version:
        raise RequestRefusedError(404, f"only {served.name} version {served.version} is served")
    return served


def _parse_request(
    body: bytes, length: str | None, form: ImageFormat
) -> tuple[InferenceRequest, ImageArray]:
    """Return a request and its images, from a body whose JSON has the given length.

    Raises RequestRefusedError if it is not valid.
    """
    if length is not None and not (length.isascii() and length.isdecimal()):
        raise RequestRefusedError(400, f"{JSON_LENGTH_HEADER}: expected a number of bytes")
    end = len(body) if length is None else min(int(length[:12]), len(body))
    parsed = responses.validate_request(InferenceRequest, responses.parse_json(body[:end]))
    (tensor,) = parsed.inputs
    values = _tensor_values(tensor, body[end:], form)
    return parsed, tensor_payloads.fit_images(values, tensor.shape, form)


def _tensor_values(tensor: InputTensor, tail: bytes, form: ImageFormat) -> NDArray[np.uint8]:
    """Return the values of a tensor from its data, or from `tail`, the bytes after the JSON."""
    if tensor.data is None:
        if tensor.parameters.binary_data_size != len(tail):
            raise RequestRefusedError(400, f"binary_data_size: {len(tail)} bytes follow the JSON")
        return np.frombuffer(tail, np.uint8)
    data = tensor.data
    while isinstance(data[0], list) and all(isinstance(part, list) for part in data):
        data = list(chain.from_iterable(data)) or [None]
    return tensor_payloads.parse_numbers(data, form)


def _response(request: InferenceRequest, output: ModelOutput) -> Response:
    served = output.served
    content = InferenceResponse(model_name=served.name, model_version=served.version, outputs=[])
    if request.id is not None:
        content["id"] = request.id
    tail = []
    for name, binary in request.binary_by_output.items():
        values = getattr(output, name)
        tensor: OutputTensor = {"name": name, "datatype": "FP32", "shape": list(values.shape)}
        if binary:
            tail.append(values.astype("<f4").tobytes())
            tensor["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            tensor["data"] = values.ravel().tolist()
        content["outputs"].append(tensor)
    if not tail:
        return responses.model_response(content, served)
    head = orjson.dumps(content)
    headers = {**served.headers, JSON_LENGTH_HEADER: str(len(head))}
    return Response(b"".join([head, *tail]), 200, headers, "application/octet-stream")
