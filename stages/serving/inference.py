"""The Open Inference Protocol, version 2, that clients of KServe and Triton speak.

Tensors as JSON, or with the binary extension: their bytes behind the JSON, whose length is
in the header Inference-Header-Content-Length.
"""

from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from stages.serving import describe, replies, tensors
from stages.serving.replies import RefusedError
from stages.serving.served import Served
from stages.serving.work import Outcome, Work

LENGTH = "inference-header-content-length"
OUTPUTS = ("logits", "probabilities")  # fields of Outcome


@dataclass(frozen=True)
class Asked:
    """An inference request: the pictures, the outputs and which of them as bytes."""

    pictures: NDArray[np.uint8]
    outputs: dict[str, bool]
    id: str | None


def router(work: Work) -> APIRouter:
    """The routes of the protocol."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])
    _add_server(routes, work)
    _add_model(routes, work)

    @routes.post("/models/{name}/infer", openapi_extra=describe.INFER)
    @routes.post("/models/{name}/versions/{version}/infer", openapi_extra=describe.INFER_VERSION)
    async def infer(request: Request) -> Response:
        """Logits or probabilities of pictures."""
        _named(request, work)
        body, length = await request.body(), request.headers.get(LENGTH)
        told = (body, length)
        asked = _asked(told) if len(body) <= tensors.SMALL else await work.off_loop(_asked, told)
        return _response(asked, await work.read(asked.pictures))

    return routes


def _add_server(routes: APIRouter, work: Work) -> None:
    """The routes of the server itself."""

    @routes.get("", openapi_extra=describe.ANY_OBJECT)
    async def server() -> Response:
        """What this server is."""
        version = metadata.version("digits")
        told = {"name": "digits", "version": version, "extensions": ["binary_tensor_data"]}
        return replies.json(told)

    @routes.get("/health/live", openapi_extra=describe.ANY_OBJECT)
    async def live() -> Response:
        """That the process answers."""
        return replies.json({"live": True})

    @routes.get("/health/ready", openapi_extra=describe.READY)
    async def ready() -> Response:
        """Whether there is a model that answers."""
        return replies.json({"ready": work.holder.ready}, 200 if work.holder.ready else 503)


def _add_model(routes: APIRouter, work: Work) -> None:
    """The routes that describe the model."""

    @routes.get("/models/{name}", openapi_extra=describe.MODEL)
    @routes.get("/models/{name}/versions/{version}", openapi_extra=describe.MODEL_VERSION)
    async def model(request: Request) -> Response:
        """The model's tensors."""
        served = _named(request, work)
        outputs = [_tensor(name, "FP32", [-1, len(served.classifier.classes)]) for name in OUTPUTS]
        told = {
            "name": served.name,
            "versions": [served.version],
            "platform": "onnx_onnxv1",
            "inputs": [_tensor("pictures", "UINT8", [-1, 28, 28])],
            "outputs": outputs,
        }
        return replies.answer(told, served)

    @routes.get("/models/{name}/ready", openapi_extra=describe.MODEL)
    @routes.get("/models/{name}/versions/{version}/ready", openapi_extra=describe.MODEL_VERSION)
    async def model_ready(request: Request) -> Response:
        """Whether this model answers."""
        served = _named(request, work)
        return replies.answer({"name": served.name, "ready": True}, served)


def _named(request: Request, work: Work) -> Served:
    """What is served, if the path names it. Raises RefusedError otherwise."""
    served, named = work.holder(), request.path_params
    if named["name"] != served.name or named.get("version", served.version) != served.version:
        raise RefusedError(404, f"this serves {served.name} version {served.version} alone")
    return served


def _tensor(name: str, kind: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": kind, "shape": shape}


def _asked(told: tuple[bytes, str | None]) -> Asked:
    """What a body and its header ask. Raises RefusedError for anything unknown."""
    body, length = told
    if length is not None and not (length.isascii() and length.isdecimal()):
        raise RefusedError(400, f"{LENGTH} is no number of bytes")
    end = len(body) if length is None else min(int(length[:12]), len(body))
    request = replies.parsed(body[:end])
    try:
        (given,) = request["inputs"]
        if (given["name"], given["datatype"]) != ("pictures", "UINT8"):
            raise ValueError
        outputs = _outputs(request)
        called = request.get("id")
        size = given.get("parameters", {}).get("binary_data_size")
        values = _binary(body[end:], size) if "data" not in given else _listed(given["data"])
        shaped = values.reshape(_shape(given["shape"], values.size))
    except (KeyError, TypeError, ValueError, AttributeError):
        wanted = "one input, pictures of UINT8, shape [n, 28, 28], with its data"
        raise RefusedError(400, f"expected {wanted}") from None
    if called is not None and type(called) is not str:
        raise RefusedError(400, "id is to be a text")
    return Asked(shaped, outputs, called)


def _outputs(request: dict[str, Any]) -> dict[str, bool]:
    """The outputs that are asked for, and whether as bytes; logits as JSON by default."""
    by_default = bool(request.get("parameters", {}).get("binary_data_output", False))
    asked = request.get("outputs") or [{"name": "logits"}]
    found = {o["name"]: bool(o.get("parameters", {}).get("binary_data", by_default)) for o in asked}
    for name in found.keys() - set(OUTPUTS):
        raise RefusedError(400, f"no output {name!r}; expected {' or '.join(OUTPUTS)}")
    return found


def _shape(shape: Any, size: int) -> tuple[int, int, int]:
    count = size // 784
    if shape != [count, 28, 28] or not 1 <= count <= tensors.MOST:
        raise RefusedError(400, tensors.EXPECTED)
    return count, 28, 28


def _binary(data: bytes, size: Any) -> NDArray[np.uint8]:
    if type(size) is not int or size != len(data):
        raise RefusedError(400, "binary_data_size is not the number of bytes behind the JSON")
    return np.frombuffer(data, np.uint8)


def _listed(data: Any) -> NDArray[np.uint8]:
    """Tensor data as the protocol has it: flat, or nested like the tensor."""
    if not isinstance(data, list) or not data:
        raise ValueError
    return tensors.pictures(data) if isinstance(data[0], list) else tensors.numbers(data)


def _response(asked: Asked, outcome: Outcome) -> Response:
    served = outcome.served
    told: dict[str, Any] = {"model_name": served.name, "model_version": served.version}
    if asked.id is not None:
        told["id"] = asked.id
    outputs, behind = [], []
    for name, binary in asked.outputs.items():
        values = getattr(outcome, name)
        output = _tensor(name, "FP32", list(values.shape))
        if binary:
            behind.append(values.astype("<f4").tobytes())
            output["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            output["data"] = values.ravel().tolist()
        outputs.append(output)
    response = replies.answer(told | {"outputs": outputs}, served)
    if not behind:
        return response
    head = orjson.dumps(told | {"outputs": outputs})
    headers = {**served.headers, LENGTH: str(len(head))}
    return Response(b"".join([head, *behind]), 200, headers, "application/octet-stream")
