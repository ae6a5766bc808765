"""The Open Inference Protocol, version 2, that clients of KServe and Triton speak.

Tensors as JSON, or with the binary extension: their bytes behind the JSON, whose length is
in the header Inference-Header-Content-Length.
"""

from importlib import metadata
from typing import Annotated, Any, Literal, NotRequired

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from digits.service import responses, tensor_payloads
from digits.service.dynamic_batching import BatchQueue, ModelOutput
from digits.service.openapi_routes import ApiRoute
from digits.service.responses import RequestBody, RequestRefusedError
from digits.service.served_model import ServedModel

JSON_LENGTH_HEADER = "inference-header-content-length"
Output = Literal["logits", "probabilities"]  # fields of Outcome
OUTPUTS: tuple[Output, ...] = ("logits", "probabilities")


class ProtocolModel(RequestBody):
    """A part of a request; what other servers know of it is passed over."""

    model_config = ConfigDict(extra="ignore")


class TensorParameters(ProtocolModel):
    """Whether a tensor comes, or is to come, as bytes behind the JSON."""

    binary_data_size: int | None = None
    binary_data: bool | None = None
    binary_data_output: bool = False


class InputTensor(ProtocolModel):
    """The one input, its data flat or nested, or as bytes."""

    name: Literal["pictures"]
    datatype: Literal["UINT8"]
    shape: Annotated[list[int], Field(description="[n, 28, 28]")]
    data: Annotated[list[Any] | None, Field(min_length=1)] = None
    parameters: TensorParameters = TensorParameters()


class RequestedOutput(ProtocolModel):
    """An output that is asked for."""

    name: Output
    parameters: TensorParameters = TensorParameters()


class InferenceRequest(ProtocolModel):
    """Pictures, and what to say of them: without `outputs` the logits."""

    id: str | None = None
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=1)]
    outputs: list[RequestedOutput] | None = None
    parameters: TensorParameters = TensorParameters()

    @property
    def wanted(self) -> dict[Output, bool]:
        """The outputs, and whether as bytes."""
        either = self.parameters.binary_data_output
        told = [
            (w.name, w.parameters.binary_data)
            for w in self.outputs or [RequestedOutput(name="logits")]
        ]
        return {name: either if binary is None else binary for name, binary in told}


class OutputTensor(TypedDict):
    """What a tensor is; in an answer with its data, or their size where they are bytes."""

    name: str
    datatype: str
    shape: list[int]
    data: NotRequired[list[float]]
    parameters: NotRequired[dict[str, int]]


class InferenceResponse(TypedDict):
    """What the model said."""

    model_name: str
    model_version: str
    id: NotRequired[str]
    outputs: list[OutputTensor]


def routes(work: BatchQueue) -> list[ApiRoute]:
    """The routes of the protocol."""

    async def infer(request: Request) -> Response:
        """Logits or probabilities of pictures."""
        _requested_model(request, work)
        told = request["body"], request.headers.get(JSON_LENGTH_HEADER)
        small = len(told[0]) <= tensor_payloads.INLINE_BYTES
        asked, pictures = (
            _parse_request(*told) if small else await work.run_in_thread(_parse_request, *told)
        )
        return _response(asked, await work.predict(pictures))

    async def model(request: Request) -> Response:
        """The model's tensors."""
        served = _requested_model(request, work)
        shape = [-1, len(served.classifier.classes)]
        told = {
            "name": served.name,
            "versions": [served.version],
            "platform": "onnx_onnxv1",
            "inputs": [{"name": "pictures", "datatype": "UINT8", "shape": [-1, 28, 28]}],
            "outputs": [{"name": n, "datatype": "FP32", "shape": shape} for n in OUTPUTS],
        }
        return responses.model_response(told, served)

    async def model_ready(request: Request) -> Response:
        """Whether this model answers."""
        served = _requested_model(request, work)
        return responses.model_response({"name": served.name, "ready": True}, served)

    found = _of_the_server(work)
    for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        found += [
            ApiRoute(f"{path}/infer", infer, answer=InferenceResponse, body=InferenceRequest),
            ApiRoute(path, model, answer=dict[str, Any]),
            ApiRoute(f"{path}/ready", model_ready, answer=dict[str, Any]),
        ]
    return found


def _of_the_server(work: BatchQueue) -> list[ApiRoute]:
    async def server(_: Request) -> Response:
        """What this server is."""
        version = metadata.version("digits")
        told = {"name": "digits", "version": version, "extensions": ["binary_tensor_data"]}
        return responses.json_response(told)

    async def live(_: Request) -> Response:
        """That the process answers."""
        return responses.json_response({"live": True})

    async def ready(_: Request) -> Response:
        """Whether there is a model that answers."""
        return responses.json_response(
            {"ready": work.holder.ready}, 200 if work.holder.ready else 503
        )

    return [
        ApiRoute("/v2", server, answer=dict[str, Any]),
        ApiRoute("/v2/health/live", live, answer=dict[str, bool]),
        ApiRoute("/v2/health/ready", ready, answer=dict[str, bool]),
    ]


def _requested_model(request: Request, work: BatchQueue) -> ServedModel:
    """What is served, if the path names it. Raises RefusedError otherwise."""
    served, named = work.holder.served, request.path_params
    if named["name"] != served.name or named.get("version", served.version) != served.version:
        raise RequestRefusedError(404, f"this serves {served.name} version {served.version} alone")
    return served


def _parse_request(body: bytes, length: str | None) -> tuple[InferenceRequest, NDArray[np.uint8]]:
    """What a body and its header ask, and the pictures. Raises RefusedError for anything else."""
    if length is not None and not (length.isascii() and length.isdecimal()):
        raise RequestRefusedError(400, f"{JSON_LENGTH_HEADER} is no number of bytes")
    end = len(body) if length is None else min(int(length[:12]), len(body))
    asked = responses.validate_request(InferenceRequest, responses.parse_json(body[:end]))
    (given,) = asked.inputs
    values = _tensor_values(given, body[end:])
    count = values.size // 784
    if given.shape != [count, 28, 28] or not 1 <= count <= tensor_payloads.MAX_IMAGES:
        raise RequestRefusedError(400, tensor_payloads.EXPECTED)
    return asked, values.reshape(given.shape)


def _tensor_values(given: InputTensor, behind: bytes) -> NDArray[np.uint8]:
    """The numbers of a tensor: behind the JSON, or in it flat, or nested like the tensor."""
    if given.data is not None:
        nested = isinstance(given.data[0], list)
        return (
            tensor_payloads.parse_images(given.data)
            if nested
            else tensor_payloads.parse_numbers(given.data)
        )
    if given.parameters.binary_data_size != len(behind):
        raise RequestRefusedError(
            400, "binary_data_size is not the number of bytes behind the JSON"
        )
    return np.frombuffer(behind, np.uint8)


def _response(asked: InferenceRequest, outcome: ModelOutput) -> Response:
    served = outcome.served
    told: InferenceResponse = {
        "model_name": served.name,
        "model_version": served.version,
        "outputs": [],
    }
    if asked.id is not None:
        told["id"] = asked.id
    behind = []
    for name, binary in asked.wanted.items():
        values = getattr(outcome, name)
        output: OutputTensor = {"name": name, "datatype": "FP32", "shape": list(values.shape)}
        if binary:
            behind.append(values.astype("<f4").tobytes())
            output["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            output["data"] = values.ravel().tolist()
        told["outputs"].append(output)
    if not behind:
        return responses.model_response(told, served)
    head = orjson.dumps(told)
    headers = {**served.headers, JSON_LENGTH_HEADER: str(len(head))}
    return Response(b"".join([head, *behind]), 200, headers, "application/octet-stream")
