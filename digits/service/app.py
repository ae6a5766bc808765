"""The application: all routes, and what every request passes through.

Starlette's routes without FastAPI, whose search and resolution of arguments take longer than
reading a small request.
"""

import functools
from itertools import chain
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from digits.service import (
    mlflow_scoring,
    open_inference,
    openapi_routes,
    predict_route,
    prometheus_metrics,
    responses,
    web_pages,
)
from digits.service.access_control import AccessControl
from digits.service.admission_limits import AdmissionLimits
from digits.service.dynamic_batching import BatchQueue
from digits.service.middleware import RequestMiddleware
from digits.service.openapi_routes import ApiRoute, RouteTable
from digits.service.served_model import ModelHolder


def create_app(
    holder: ModelHolder, feedback: Path, guard: AccessControl, limits: AdmissionLimits
) -> RequestMiddleware:
    """The service around what `holder` holds; corrections go below the folder `feedback`."""
    work = BatchQueue(holder)
    groups = {
        "Digits": predict_route.routes(work),
        "MLflow": mlflow_scoring.routes(work),
        "Open Inference Protocol": open_inference.routes(work),
        "Pages": web_pages.routes(work, feedback),
    }
    groups["Operations"] = _operations(groups)
    return RequestMiddleware(RouteTable(chain(*groups.values())), holder, guard, limits)


def _operations(groups: dict[str, list[ApiRoute]]) -> list[ApiRoute]:
    """What operators and programs ask: the numbers of the service, and how to speak to it."""
    described = functools.cache(lambda: openapi_routes.openapi_document(groups))

    async def numbers(_: Request) -> Response:
        """Numbers for Prometheus."""
        exposed = await run_in_threadpool(prometheus_metrics.exposition)
        return Response(exposed, media_type=CONTENT_TYPE_LATEST)

    async def openapi(_: Request) -> Response:
        """How to speak to this service, as OpenAPI."""
        return responses.json_response(await run_in_threadpool(described))

    return [
        ApiRoute("/metrics", numbers),
        ApiRoute("/openapi.json", openapi, answer=dict[str, Any]),
    ]
