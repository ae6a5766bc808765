"""The pages: the one to draw on, the model's, the API's, and what people say of answers."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from digits.datasets import feedback_store as kept
from digits.datasets import labelled_folder
from digits.datasets.feedback_store import DamagedTableError, StoreFullError
from digits.project import html_templates
from digits.project.errors import UserError
from digits.service import json_logs, responses
from digits.service.dynamic_batching import BatchQueue
from digits.service.openapi_routes import ApiRoute
from digits.service.responses import Base64, ModelIdentity, RequestBody, RequestRefusedError, Status
from digits.service.served_model import LOCAL_VERSION, ServedModel

WEB = Path(__file__).with_name("web")
HTML = "text/html"
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SWAGGER = ("swagger-ui.css", "swagger-ui-bundle.js")  # of the package flask-swagger-ui
FRESH = {"Cache-Control": "no-cache"}  # asked for again, so that nobody sees an old script


class FeedbackRequest(RequestBody):
    """What a person says of an answer: `label` is right, `answer` was given."""

    picture: Base64
    label: Annotated[str, Field(description="What is written; / between rows.", max_length=200)]
    answer: Annotated[str, Field(pattern=r"^[0-9/]{0,200}$")]
    status: Status
    probability: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    model: ModelIdentity


def routes(work: BatchQueue, feedback: Path) -> list[ApiRoute]:
    """`/`, `/static/*`, `/model`, `/docs` and `POST /feedback`, which stores in `feedback`."""
    holder, static = work.holder, _static()
    writer = ThreadPoolExecutor(1)  # waiting for a lock there holds up no picture

    async def draw(_: Request) -> Response:
        """The page to draw on."""
        return _html(html_templates.render(WEB / "draw.html", model=_display_name(holder.served)))

    async def file(request: Request) -> Response:
        """A file of the pages."""
        path = static.get(request.path_params["name"])
        if path is None:
            raise RequestRefusedError(404, "there is no such file")
        return Response(path.read_bytes(), 200, FRESH, CONTENT_TYPES[path.suffix])

    async def model(_: Request) -> Response:
        """Where the model comes from, why it serves and how good it is."""
        return _html(render_model_page(holder.served))

    async def docs(_: Request) -> Response:
        """How to speak to this service."""
        return _html(html_templates.render(WEB / "docs.html"))

    async def say(request: Request) -> Response:
        """Store a picture with what is written on it."""
        classes = holder.served.classifier.classes
        loop = asyncio.get_running_loop()
        told = await loop.run_in_executor(
            writer, _store_feedback, request["body"], classes, feedback
        )
        return responses.json_response({**told, "request_id": request["request_id"]})

    return [
        ApiRoute("/feedback", say, answer=dict[str, str], body=FeedbackRequest),
        ApiRoute("/", draw),
        ApiRoute("/model", model),
        ApiRoute("/docs", docs),
        ApiRoute("/static/{name}", file),
    ]


def _static() -> dict[str, Path]:
    """The files that pages load, by name."""
    found = {path.name: path for path in WEB.iterdir() if path.suffix in CONTENT_TYPES}
    swagger = metadata.distribution("flask-swagger-ui").locate_file("")
    return found | {name: Path(str(swagger), "flask_swagger_ui/dist", name) for name in SWAGGER}


def _html(text: str) -> Response:
    return Response(text, 200, FRESH, HTML)


def render_model_page(served: ServedModel) -> str:
    """The page about the model."""
    return html_templates.render(WEB / "model.html", name=_display_name(served), served=served)


def _display_name(served: ServedModel) -> str:
    """What people call the model that is served."""
    if served.version == LOCAL_VERSION:
        return f"{served.name} ({LOCAL_VERSION})"
    return f"{served.name} version {served.version}"


def _store_feedback(body: bytes, classes: list[str], folder: Path) -> dict[str, Any]:
    """Keep what the body says. Raises RefusedError when that is nothing to be kept."""
    told = responses.validate_request(FeedbackRequest, body)
    if not labelled_folder.is_label(told.label, classes):
        raise RequestRefusedError(400, "label is to be digits, with / between rows")
    try:
        row = kept.add_correction(
            folder,
            told.picture,
            told.label,
            answer=told.answer,
            status=told.status,
            probability=f"{told.probability:.6f}",
            name=told.model.name,
            version=told.model.version,
            model_sha256=told.model.sha256,
        )
    except (DamagedTableError, OSError) as error:  # also a lock that others hold too long
        json_logs.log_event(
            event=str(error), level="error"
        )  # the operator has to mend it, not the client
        raise RequestRefusedError(503, "feedback cannot be stored now") from None
    except StoreFullError as error:
        raise RequestRefusedError(429, str(error)) from None
    except UserError as error:
        raise RequestRefusedError(400, str(error)) from None
    return {"stored": row.label, "picture_sha256": row.sha256}
