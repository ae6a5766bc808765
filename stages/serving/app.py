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

from stages.serving import describe, inference, metrics, pages, reading, replies, scoring
from stages.serving.describe import Operation, Routes
from stages.serving.front import Front
from stages.serving.guard import Guard, Limits
from stages.serving.served import Holder
from stages.serving.work import Work


def create_app(holder: Holder, feedback: Path, guard: Guard, limits: Limits) -> Front:
    """The service around what `holder` holds; corrections go below the folder `feedback`."""
    work = Work(holder)
    groups = {
        "Digits": reading.routes(work),
        "MLflow": scoring.routes(work),
        "Open Inference Protocol": inference.routes(work),
        "Pages": pages.routes(work, feedback),
    }
    groups["Operations"] = _operations(groups)
    return Front(Routes(chain(*groups.values())), holder, guard, limits)


def _operations(groups: dict[str, list[Operation]]) -> list[Operation]:
    """What operators and programs ask: the numbers of the service, and how to speak to it."""
    described = functools.cache(lambda: describe.document(groups))

    async def numbers(_: Request) -> Response:
        """Numbers for Prometheus."""
        exposed = await run_in_threadpool(metrics.exposition)
        return Response(exposed, media_type=CONTENT_TYPE_LATEST)

    async def openapi(_: Request) -> Response:
        """How to speak to this service, as OpenAPI."""
        return replies.json(await run_in_threadpool(described))

    return [
        Operation("/metrics", numbers),
        Operation("/openapi.json", openapi, answer=dict[str, Any]),
    ]
