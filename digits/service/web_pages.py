"""The pages: drawing, the model, the API; and the feedback that the drawing page sends.

The files of the pages are in `web`. Feedback is stored by `digits.datasets.feedback_store`.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from digits.datasets import feedback_store, labelled_folder
from digits.datasets.feedback_store import DamagedTableError, StoreFullError
from digits.project import html_templates
from digits.project.errors import UserError
from digits.service import json_logs, responses
from digits.service.dynamic_batching import BatchQueue
from digits.service.openapi_routes import ApiRoute
from digits.service.responses import Base64, ModelIdentity, RequestBody, RequestRefusedError, Status
from digits.service.served_model import LOCAL_VERSION, ServedModel

WEB = Path(__file__).with_name("web")
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SWAGGER = ("swagger-ui.css", "swagger-ui-bundle.js")  # in the package flask-swagger-ui
NO_CACHE = {"Cache-Control": "no-cache"}  # so that browsers never run an old script


class FeedbackRequest(RequestBody):
    """A person's correction: `label` is right, `answer` is what the model read."""

    picture: Base64
    label: Annotated[str, Field(description="The digits, / between rows.", max_length=200)]
    answer: Annotated[str, Field(pattern=r"^[0-9/]{0,200}$")]
    status: Status
    probability: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    model: ModelIdentity


def routes(queue: BatchQueue, folder: Path) -> list[ApiRoute]:
    """Return the routes of the pages. Feedback is stored in `folder`."""
    holder, files = queue.holder, _static_files()
    writer = ThreadPoolExecutor(1)  # a writer that waits for a lock delays no prediction

    async def draw(_: Request) -> Response:
        """The page to draw on."""
        return _html(html_templates.render(WEB / "draw.html", model=_display_name(holder.served)))

    async def static(request: Request) -> Response:
        """A script, style sheet or icon of the pages."""
        path = files.get(request.path_params["name"])
        if path is None:
            raise RequestRefusedError(404, "there is no such file")
        return Response(path.read_bytes(), 200, NO_CACHE, CONTENT_TYPES[path.suffix])

    async def model(_: Request) -> Response:
        """The page about the model: where it comes from and how good it is."""
        return _html(render_model_page(holder.served))

    async def docs(_: Request) -> Response:
        """The page that describes this API."""
        return _html(html_templates.render(WEB / "docs.html"))

    async def feedback(request: Request) -> Response:
        """Store an image with the digits that a person says are in it."""
        arguments = request["body"], holder.served.classifier.classes, folder
        stored = await asyncio.wrap_future(writer.submit(_store_feedback, *arguments))
        return responses.json_response({**stored, "request_id": request["request_id"]})

    return [
        ApiRoute("/feedback", feedback, response=dict[str, str], body=FeedbackRequest),
        ApiRoute("/", draw),
        ApiRoute("/model", model),
        ApiRoute("/docs", docs),
        ApiRoute("/static/{name}", static),
    ]


def _static_files() -> dict[str, Path]:
    """Return the files that pages load, by name."""
    files = {path.name: path for path in WEB.iterdir() if path.suffix in CONTENT_TYPES}
    swagger = metadata.distribution("flask-swagger-ui").locate_file("")
    return files | {name: Path(str(swagger), "flask_swagger_ui/dist", name) for name in SWAGGER}


def _html(text: str) -> Response:
    return Response(text, 200, NO_CACHE, "text/html")


def render_model_page(served: ServedModel) -> str:
    """Return the page about the model."""
    return html_templates.render(WEB / "model.html", name=_display_name(served), served=served)


def _display_name(served: ServedModel) -> str:
    """Return the name of the model for people."""
    is_local = served.version == LOCAL_VERSION
    return f"{served.name} " + (f"({LOCAL_VERSION})" if is_local else f"version {served.version}")


def _store_feedback(body: bytes, classes: list[str], folder: Path) -> dict[str, Any]:
    """Store a correction. Raises RequestRefusedError when it is not valid or there is no room."""
    request = responses.validate_request(FeedbackRequest, body)
    if not labelled_folder.is_label(request.label, classes):
        raise RequestRefusedError(400, "label: expected digits, with / between rows, as in 12/34")
    model = request.model
    fields = {"answer": request.answer, "status": request.status}
    fields |= {"name": model.name, "version": model.version, "model_sha256": model.sha256}
    fields["probability"] = f"{request.probability:.6f}"
    try:
        row = feedback_store.add_correction(folder, request.picture, request.label, **fields)
    except (DamagedTableError, OSError) as error:  # also a lock that is held for too long
        json_logs.log_event(event=str(error), level="error")  # for the operator, not the client
        raise RequestRefusedError(503, "feedback cannot be stored now") from None
    except UserError as error:
        status = 429 if isinstance(error, StoreFullError) else 400
        raise RequestRefusedError(status, str(error)) from None
    return {"stored": row.label, "picture_sha256": row.sha256}
