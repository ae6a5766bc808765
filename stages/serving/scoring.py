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

from stages.serving import replies, tensors
from stages.serving.describe import Operation
from stages.serving.replies import RefusedError
from stages.serving.work import Work

Gray = Annotated[int, Field(ge=0, le=255)]
Pictures = Annotated[list[list[list[Gray]]], Field(description="[n, 28, 28], 0 the background.")]


class Inputs(BaseModel):
    """Pictures; what else a client sends beside them is passed over. Read by `tensors` alone."""

    inputs: Pictures


class Instances(BaseModel):
    """The same under the other name that the protocol has for them."""

    instances: Pictures


class Predictions(TypedDict):
    """`logits`: a row for each picture, a number for each class."""

    predictions: dict[Literal["logits"], list[list[float]]]


FORMS = ("inputs", "instances", "dataframe_split", "dataframe_records")


def routes(work: Work) -> list[Operation]:
    """The routes of the protocol."""
    version = metadata.version("mlflow")

    async def invocations(request: Request) -> Response:
        """The logits of pictures, as MLflow's scoring server gives them."""
        try:
            if not replies.is_json(request):
                raise RefusedError(415, "expected the content type application/json in UTF-8")
            body = request["body"]
            small = len(body) <= tensors.SMALL
            pictures = _pictures(body) if small else await work.off_loop(_pictures, body)
        except RefusedError as refused:
            more = {"error_code": "BAD_REQUEST", "message": refused.detail}
            return replies.error(request["request_id"], refused, **more)
        outcome = await work.read(pictures)
        told: Predictions = {"predictions": {"logits": outcome.logits.tolist()}}
        return replies.answer(told, outcome.served)

    async def ping(_: Request) -> Response:
        """Whether there is a model that answers."""
        return Response("\n", 200 if work.holder.ready else 503, media_type=replies.JSON)

    async def of_mlflow(_: Request) -> Response:
        """The version of MLflow whose protocol this is."""
        return Response(version, media_type=replies.JSON)

    return [
        Operation("/invocations", invocations, answer=Predictions, body=Inputs | Instances),
        Operation("/ping", ping),
        Operation("/health", ping),
        Operation("/version", of_mlflow),
    ]


def _pictures(body: bytes) -> Any:
    told = replies.parsed(body)
    found = [form for form in FORMS if form in told] if isinstance(told, dict) else []
    if found not in (["inputs"], ["instances"]):
        raise RefusedError(400, "expected an object with either inputs or instances")
    return tensors.pictures(told[found[0]])
