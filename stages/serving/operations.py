"""What operators ask: the numbers of the service, and how to speak to it."""

from fastapi import APIRouter, FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import HTMLResponse, Response

from stages.serving import describe
from stages.serving.docs import page
from stages.serving.metrics import Metrics


def router(app: FastAPI, metrics: Metrics) -> APIRouter:
    """`/metrics` and `/docs`."""
    routes = APIRouter(tags=["Operations"])

    @routes.get("/metrics", openapi_extra=describe.TEXT)
    def numbers() -> Response:
        """Numbers for Prometheus."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return HTMLResponse(page(app.openapi()))

    return routes
