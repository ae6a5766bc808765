"""The application: all routes, and what every request passes through.

Starlette's routes without FastAPI, whose search and resolution of arguments take longer than
reading a small request.
"""

from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router

from stages.serving import describe, inference, pages, reading, replies, scoring
from stages.serving.describe import Operation
from stages.serving.front import Front
from stages.serving.guard import Guard
from stages.serving.limits import Limits
from stages.serving.metrics import Metrics
from stages.serving.replies import RefusedError
from stages.serving.served import Holder
from stages.serving.work import Work


def create_app(
    holder: Holder,
    feedback: Path,
    guard: Guard | None = None,
    limits: Limits | None = None,
    metrics: Metrics | None = None,
) -> Front:
    """The service around what `holder` holds; corrections go below the folder `feedback`."""
    metrics = metrics or Metrics()
    work = Work(holder, metrics)
    routes = [
        *reading.routes(work, metrics),
        *scoring.routes(work),
        *inference.routes(work),
        *pages.routes(holder, feedback, lambda: metrics.confidences(holder().version)),
    ]
    routes += _about(routes, metrics)
    return Front(
        Router(routes, redirect_slashes=False, default=_nowhere),
        {},
        holder=holder,
        guard=guard or Guard(),
        limits=limits or Limits(),
        metrics=metrics,
    )


def _about(routes: list[Operation], metrics: Metrics) -> list[Operation]:
    """What operators and programs ask: the numbers of the service, and how to speak to it."""

    async def numbers(_: Request) -> Response:
        """Numbers for Prometheus."""
        exposed = await run_in_threadpool(metrics.exposition)
        return Response(exposed, media_type=CONTENT_TYPE_LATEST)

    async def openapi(_: Request) -> Response:
        """How to speak to this service, as OpenAPI."""
        return replies.json(describe.document(routes))

    return [
        Operation("/metrics", numbers),
        Operation("/openapi.json", openapi, answer=dict[str, Any]),
    ]


async def _nowhere(*_: Any) -> None:
    raise RefusedError(404, "Not Found")
