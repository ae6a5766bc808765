"""MLflow's scoring protocol: clients of `mlflow models serve` need no change.

`inputs` or `instances` with pictures [n, 28, 28] give `{"predictions": {"logits": ...}}`.
Data frames are refused, as MLflow refuses them for a model of tensors.
"""

from importlib import metadata
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from digits.service import responses, tensor_payloads
from digits.service.dynamic_batching import BatchQueue
from digits.service.openapi_routes import ApiRoute
from digits.service.responses import RequestRefusedError

Gray = Annotated[int, Field(ge=0, le=255)]
ImageLists = Annotated[list[list[list[Gray]]], Field(description="[n, 28, 28], 0 the background.")]


class InputsRequest(BaseModel):
    """Pictures; what else a client sends beside them is passed over. Read by `tensors` alone."""

    inputs: ImageLists


class InstancesRequest(BaseModel):
    """The same under the other name that the protocol has for them."""

    instances: ImageLists


class PredictionsResponse(TypedDict):
    """`logits`: a row for each picture, a number for each class."""

    predictions: dict[Literal["logits"], list[list[float]]]


FORMS = ("inputs", "instances", "dataframe_split", "dataframe_records")


def routes(work: BatchQueue) -> list[ApiRoute]:
    """The routes of the protocol."""
    version = metadata.version("mlflow")

    async def invocations(request: Request) -> Response:
        """The logits of pictures, as MLflow's scoring server gives them."""
        try:
            if not responses.is_json(request):
                raise RequestRefusedError(
                    415, "expected the content type application/json in UTF-8"
                )
            body = request["body"]
            small = len(body) <= tensor_payloads.INLINE_BYTES
            pictures = _pictures(body) if small else await work.run_in_thread(_pictures, body)
        except RequestRefusedError as refused:
            more = {"error_code": "BAD_REQUEST", "message": refused.detail}
            return responses.error_response(request["request_id"], refused, **more)
        outcome = await work.predict(pictures)
        told: PredictionsResponse = {"predictions": {"logits": outcome.logits.tolist()}}
        return responses.model_response(told, outcome.served)

    async def ping(_: Request) -> Response:
        """Whether there is a model that answers."""
        return Response("\n", 200 if work.holder.ready else 503, media_type=responses.JSON)

    async def of_mlflow(_: Request) -> Response:
        """The version of MLflow whose protocol this is."""
        return Response(version, media_type=responses.JSON)

    return [
        ApiRoute(
            "/invocations",
            invocations,
            answer=PredictionsResponse,
            body=InputsRequest | InstancesRequest,
        ),
        ApiRoute("/ping", ping),
        ApiRoute("/health", ping),
        ApiRoute("/version", of_mlflow),
    ]


def _pictures(body: bytes) -> Any:
    told = responses.parse_json(body)
    found = [form for form in FORMS if form in told] if isinstance(told, dict) else []
    if found not in (["inputs"], ["instances"]):
        raise RequestRefusedError(400, "expected an object with either inputs or instances")
    return tensor_payloads.parse_images(told[found[0]])
