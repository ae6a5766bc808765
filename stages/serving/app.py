"""The application: all routes, and what every request passes through."""

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from stages.serving import pages, reading, replies
from stages.serving.replies import RefusedError
from stages.serving.served import Holder
from stages.serving.work import Work


def create_app(holder: Holder, feedback: Path) -> FastAPI:
    """The service around what `holder` holds; corrections go below the folder `feedback`."""
    app = FastAPI(title="Digits", docs_url=None, redoc_url=None)
    app.include_router(pages.router(holder, feedback, lambda: [0] * 20))
    app.include_router(reading.router(Work(holder)))
    app.add_exception_handler(RefusedError, _refused)
    return app


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    told = replies.request_id(request)
    return replies.error(told, error.status, error.sentence, error.headers)
