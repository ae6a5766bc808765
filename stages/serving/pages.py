"""The pages: the one to draw on, the model's, and what people say of answers."""

import asyncio
import base64
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from string import Template
from typing import Annotated, Any

import filelock
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from stages.lib import feedback as kept
from stages.lib import labelled
from stages.lib.errors import UserError
from stages.serving import model_page, replies
from stages.serving.replies import RefusedError
from stages.serving.served import Served

LOG = logging.getLogger(__name__)
WEB = Path(__file__).parents[1] / "web"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FRESH = {"Cache-Control": "no-cache"}  # asked for again, so that nobody sees an old script
NO_MODEL = "no model is loaded yet"
Name = Annotated[str, StringConstraints(pattern=r"^\w[^\x00-\x1f\x7f]{0,99}$")]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9/]{0,200}$")]


class Model(BaseModel):
    """The model that answered, as `/predict` names it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    name: Name
    version: Name
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Feedback(BaseModel):
    """What a person says of an answer: `label` is right, `answer` was given."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    picture: Annotated[str, Field(description="The picture's bytes in base64.")]
    label: Annotated[str, Field(description="What is written; / between rows.", max_length=200)]
    answer: Annotated[Digits, Field(description="The text of the answer; may be empty.")]
    status: Annotated[str, StringConstraints(pattern="^(ok|doubtful|no digit)$")]
    probability: Annotated[float, Field(strict=False, ge=0, le=1, allow_inf_nan=False)]
    model: Model


def router(
    current: Callable[[], Served], feedback: Path, confidences: Callable[[], list[int]]
) -> APIRouter:
    """`/`, `/static/*`, `/model` and `POST /feedback`.

    `confidences()` counts the top probabilities since the model was loaded, 20 bins of 0..1.
    Corrections are stored in the folder `feedback`.
    """
    routes = APIRouter(tags=["Pages"])
    writer = ThreadPoolExecutor(1)  # pictures are decoded one at a time: a large one takes memory
    page = Template((WEB / "draw.html").read_text(encoding="utf-8"))
    shown = {path.name: path for path in WEB.iterdir() if path.suffix in KINDS}
    static = {name: (path.read_bytes(), KINDS[path.suffix]) for name, path in shown.items()}

    @routes.get("/", include_in_schema=False)
    def draw() -> Response:
        return HTMLResponse(page.substitute(model=escape(_name(current))), headers=FRESH)

    @routes.get("/static/{name}", include_in_schema=False)
    def file(name: str) -> Response:
        if name not in static:
            raise RefusedError(404, "there is no such file")
        content, kind = static[name]
        return Response(content, media_type=kind, headers=FRESH)

    @routes.get("/model", include_in_schema=False)
    def model() -> Response:
        served = _served(current)
        return HTMLResponse(model_page.page(served, confidences()), headers=FRESH)

    @routes.post("/feedback", openapi_extra=_documented())
    async def say(request: Request) -> Response:
        """Store a picture with what is written on it."""
        body = await request.body()
        classes = _served(current).classifier.classes
        loop = asyncio.get_running_loop()
        told = await loop.run_in_executor(writer, _stored, body, classes, feedback)
        return replies.json({**told, "request_id": replies.request_id(request)})

    return routes


def _documented() -> dict[str, Any]:
    """What OpenAPI says of the body, which is read by hand to bound and explain it."""
    schema = {"schema": Feedback.model_json_schema(ref_template="#/components/schemas/{model}")}
    schema["schema"]["properties"]["model"] = schema["schema"].pop("$defs")["Model"]
    return {"requestBody": {"required": True, "content": {replies.JSON: schema}}}


def _served(current: Callable[[], Served]) -> Served:
    try:
        return current()
    except LookupError as error:
        raise RefusedError(503, NO_MODEL, {"Retry-After": "1"}) from error


def _name(current: Callable[[], Served]) -> str:
    """What the page calls the model until its first answer."""
    try:
        return model_page.name(current())
    except LookupError:
        return NO_MODEL


def _stored(body: bytes, classes: list[str], folder: Path) -> dict[str, Any]:
    """Keep what the body says. Raises RefusedError when that is nothing to be kept."""
    told = _checked(body)
    if not labelled.known(told.label, classes):
        raise RefusedError(400, "label is to be digits, with / between rows")
    try:
        row = kept.store(
            folder,
            base64.b64decode(told.picture, validate=True),
            told.label,
            answer=told.answer,
            status=told.status,
            probability=f"{told.probability:.6f}",
            name=told.model.name,
            version=told.model.version,
            model_sha256=told.model.sha256,
        )
    except (kept.DamagedError, OSError) as error:
        LOG.error("%s", error)  # what the operator has to mend is no matter of the client's
        raise RefusedError(503, "feedback cannot be stored now") from None
    except ValueError:
        raise RefusedError(400, "picture is to be the bytes of a picture in base64") from None
    except kept.FullError as error:
        raise RefusedError(429, str(error)) from None
    except filelock.Timeout:
        raise RefusedError(503, "others are storing; try again", {"Retry-After": "1"}) from None
    except UserError as error:
        raise RefusedError(400, str(error)) from None
    return {"stored": row.label, "picture_sha256": row.sha256}


def _checked(body: bytes) -> Feedback:
    try:
        return Feedback.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise RefusedError(400, f"{place or 'the body'}: {first['msg']}") from None
