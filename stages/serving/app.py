"""The application: all routes, and what every request passes through."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stages.serving import inference, operations, pages, reading, replies, scoring
from stages.serving.front import Front
from stages.serving.guard import Guard, Limits
from stages.serving.metrics import Metrics
from stages.serving.replies import RefusedError
from stages.serving.served import Holder
from stages.serving.work import Work

ABOUT = "Reads handwritten digits. Speaks MLflow's scoring protocol and Open Inference, too."


def create_app(
    holder: Holder,
    feedback: Path,
    guard: Guard | None = None,
    limits: Limits | None = None,
    metrics: Metrics | None = None,
) -> Front:
    """The service around what `holder` holds; corrections go below the folder `feedback`."""
    metrics = metrics or Metrics()
    app = FastAPI(
        title="Digits",
        description=ABOUT,
        docs_url=None,  # FastAPI's own pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    work = Work(holder, metrics)
    app.include_router(
        pages.router(holder, feedback, lambda: metrics.confidences(holder().version))
    )
    fast = [reading.router(work, metrics), scoring.router(work)]
    for router in (*fast, inference.router(work), operations.router(app, metrics)):
        app.include_router(router)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _refused)
    hot = {
        (method, route.path): route
        for router in fast
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    return Front(
        app,
        hot,
        holder=holder,
        guard=guard or Guard(),
        limits=limits or Limits(),
        metrics=metrics,
    )


def _refused(request: Request, error: Exception) -> Response:
    """One sentence, whoever refused."""
    if isinstance(error, HTTPException):
        headers = dict(error.headers or {})
        error = RefusedError(error.status_code, str(error.detail), headers)
    assert isinstance(error, RefusedError)
    return replies.error(replies.request_id(request), error)
