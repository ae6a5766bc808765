"""The pages: the one to draw on, the model's, the API's, and what people say of answers."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from stages.lib import feedback as kept
from stages.lib import labelled, templates
from stages.lib.errors import UserError
from stages.serving import logs, replies
from stages.serving.describe import Operation
from stages.serving.replies import Base64, Body, Model, RefusedError, Status
from stages.serving.served import LOCAL, Served
from stages.serving.work import Work

HTML = "text/html"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SWAGGER = ("swagger-ui.css", "swagger-ui-bundle.js")  # of the package flask-swagger-ui
FRESH = {"Cache-Control": "no-cache"}  # asked for again, so that nobody sees an old script


class Feedback(Body):
    """What a person says of an answer: `label` is right, `answer` was given."""

    picture: Base64
    label: Annotated[str, Field(description="What is written; / between rows.", max_length=200)]
    answer: Annotated[str, Field(pattern=r"^[0-9/]{0,200}$")]
    status: Status
    probability: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    model: Model


def routes(work: Work, feedback: Path) -> list[Operation]:
    """`/`, `/static/*`, `/model`, `/docs` and `POST /feedback`, which stores in `feedback`."""
    holder, static = work.holder, _static()
    writer = ThreadPoolExecutor(1)  # waiting for a lock there holds up no picture

    async def draw(_: Request) -> Response:
        """The page to draw on."""
        return _html(templates.render("draw.html", model=_called(holder.served)))

    async def file(request: Request) -> Response:
        """A file of the pages."""
        path = static.get(request.path_params["name"])
        if path is None:
            raise RefusedError(404, "there is no such file")
        return Response(path.read_bytes(), 200, FRESH, KINDS[path.suffix])

    async def model(_: Request) -> Response:
        """Where the model comes from, why it serves and how good it is."""
        return _html(about_model(holder.served))

    async def docs(_: Request) -> Response:
        """How to speak to this service."""
        return _html(templates.render("docs.html"))

    async def say(request: Request) -> Response:
        """Store a picture with what is written on it."""
        classes = holder.served.classifier.classes
        loop = asyncio.get_running_loop()
        told = await loop.run_in_executor(writer, _stored, request["body"], classes, feedback)
        return replies.json({**told, "request_id": request["request_id"]})

    return [
        Operation("/feedback", say, answer=dict[str, str], body=Feedback),
        Operation("/", draw),
        Operation("/model", model),
        Operation("/docs", docs),
        Operation("/static/{name}", file),
    ]


def _static() -> dict[str, Path]:
    """The files that pages load, by name."""
    found = {path.name: path for path in templates.WEB.iterdir() if path.suffix in KINDS}
    swagger = metadata.distribution("flask-swagger-ui").locate_file("")
    return found | {name: Path(str(swagger), "flask_swagger_ui/dist", name) for name in SWAGGER}


def _html(text: str) -> Response:
    return Response(text, 200, FRESH, HTML)


def about_model(served: Served) -> str:
    """The page about the model."""
    return templates.render("model.html", name=_called(served), served=served)


def _called(served: Served) -> str:
    """What people call the model that is served."""
    if served.version == LOCAL:
        return f"{served.name} ({LOCAL})"
    return f"{served.name} version {served.version}"


def _stored(body: bytes, classes: list[str], folder: Path) -> dict[str, Any]:
    """Keep what the body says. Raises RefusedError when that is nothing to be kept."""
    told = replies.checked(Feedback, body)
    if not labelled.known(told.label, classes):
        raise RefusedError(400, "label is to be digits, with / between rows")
    try:
        row = kept.store(
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
    except (kept.DamagedError, OSError) as error:  # also a lock that others hold too long
        logs.line(event=str(error), level="error")  # the operator has to mend it, not the client
        raise RefusedError(503, "feedback cannot be stored now") from None
    except kept.FullError as error:
        raise RefusedError(429, str(error)) from None
    except UserError as error:
        raise RefusedError(400, str(error)) from None
    return {"stored": row.label, "picture_sha256": row.sha256}
