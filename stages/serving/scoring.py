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
from stages.serving.metrics import Metrics
from stages.serving.replies import RefusedError
from stages.serving.work import Work, probabilities

FORMS = ("inputs", "instances", "dataframe_split", "dataframe_records")


def router(work: Work, metrics: Metrics) -> APIRouter:
    """The routes of the protocol."""
    routes = APIRouter(tags=["MLflow"])
    version = metadata.version("mlflow")

    @routes.get("/ping", openapi_extra=describe.HEALTH)
    @routes.get("/health", openapi_extra=describe.HEALTH)
    async def ping() -> Response:
        """Whether there is a model that answers."""
        return Response("\n", 200 if work.holder.ready else 503, media_type=replies.JSON)

    @routes.get("/version", openapi_extra=describe.HEALTH)
    async def of_mlflow() -> Response:
        """The version of MLflow whose protocol this is."""
        return Response(version, media_type=replies.JSON)

    @routes.post("/invocations", openapi_extra=describe.INVOCATIONS)
    async def invocations(request: Request) -> Response:
        """The logits of pictures, as MLflow's scoring server gives them."""
        try:
            if replies.media_type(request) != replies.JSON:
                raise RefusedError(415, "expected the content type application/json")
            body = await request.body()
            small = len(body) <= tensors.SMALL
            pictures = _pictures(body) if small else await work.off_loop(_pictures, body)
        except RefusedError as refused:
            refused.more = {"error_code": "BAD_REQUEST", "message": refused.sentence}
            raise
        served, logits = await work.logits(pictures)
        classes = served.classifier.classes
        digits = [classes[i] for i in logits.argmax(1)]
        metrics.read(probabilities(logits), digits, served.version)
        return replies.answer({"predictions": {"logits": logits.tolist()}}, served)

    return routes


def _pictures(body: bytes) -> Any:
    told = replies.parsed(body)
    forms = [form for form in FORMS if form in told] if isinstance(told, dict) else []
    if len(forms) != 1:
        raise RefusedError(400, f"expected an object with exactly one of {', '.join(FORMS)}")
    if forms[0] not in {"inputs", "instances"}:
        raise RefusedError(400, "the model takes tensors; expected inputs or instances")
    return tensors.pictures(told[forms[0]])
