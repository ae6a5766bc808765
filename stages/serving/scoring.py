"""MLflow's scoring protocol: clients of `mlflow models serve` need no change.

`inputs` or `instances` with pictures [n, 28, 28] give `{"predictions": {"logits": ...}}`.
Data frames are refused, as MLflow refuses them for a model of tensors.
"""

from importlib import metadata
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from stages.serving import describe, replies, tensors
from stages.serving.replies import RefusedError
from stages.serving.work import Work

FORMS = ("inputs", "instances", "dataframe_split", "dataframe_records")


def router(work: Work) -> APIRouter:
    """The routes of the protocol."""
    routes = APIRouter(tags=["MLflow"])
    version = metadata.version("mlflow")

    @routes.get("/ping", openapi_extra=describe.HEALTH)
    @routes.get("/health", openapi_extra=describe.HEALTH)
    async def ping(_: Request) -> Response:
        """Whether there is a model that answers."""
        return Response("\n", 200 if work.holder.ready else 503, media_type=replies.JSON)

    @routes.get("/version", openapi_extra=describe.HEALTH)
    async def of_mlflow(_: Request) -> Response:
        """The version of MLflow whose protocol this is."""
        return Response(version, media_type=replies.JSON)

    @routes.post("/invocations", openapi_extra=describe.INVOCATIONS)
    async def invocations(request: Request) -> Response:
        """The logits of pictures, as MLflow's scoring server gives them."""
        try:
            if not replies.is_json(request):
                raise RefusedError(415, "expected the content type application/json in UTF-8")
            body = await request.body()
            small = len(body) <= tensors.SMALL
            pictures = _pictures(body) if small else await work.off_loop(_pictures, body)
        except RefusedError as refused:
            refused.more = {"error_code": "BAD_REQUEST", "message": refused.sentence}
            raise
        outcome = await work.read(pictures)
        told = {"predictions": {"logits": outcome.logits.tolist()}}
        return replies.answer(told, outcome.served)

    return routes


def _pictures(body: bytes) -> Any:
    told = replies.parsed(body)
    forms = [form for form in FORMS if form in told] if isinstance(told, dict) else []
    if len(forms) != 1:
        raise RefusedError(400, f"expected an object with exactly one of {', '.join(FORMS)}")
    if forms[0] not in {"inputs", "instances"}:
        raise RefusedError(400, "the model takes tensors; expected inputs or instances")
    return tensors.pictures(told[forms[0]])
