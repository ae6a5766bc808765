"""The pages: drawing, the model, errors; and the feedback that the drawing page sends.

The files of the pages are in `web`, that of the model's page in `digits.evaluation`. Feedback
is stored by `digits.datasets.feedback_store`.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from digits.datasets import feedback_store
from digits.datasets.feedback_store import DamagedTableError, StoreFullError
from digits.evaluation import model_card
from digits.inference.model_words import ModelWords
from digits.preprocessing import class_names
from digits.project import html_templates
from digits.project.errors import UserError
from digits.service import json_logs, responses
from digits.service.dynamic_batching import BatchQueue
from digits.service.openapi_routes import ApiRoute
from digits.service.responses import (
    NO_CACHE,
    Base64,
    ModelIdentity,
    RequestBody,
    RequestRefusedError,
    Status,
)
from digits.service.served_model import ServedModel

WEB = Path(__file__).with_name("web")
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
CONTENT_TYPES |= {".jpg": "image/jpeg"}
SAMPLES = {  # images to try, drawn by `python -m tests.drawing`
    "sample-digit.jpg": "one digit",
    "sample-number.jpg": "a number",
    "sample-rows.jpg": "two rows",
}


MAX_TEXT = 4000  # characters of a label or an answer
LABEL = "All labels, as in `text` of an answer; a JSON list as text."


class FeedbackRequest(RequestBody):
    """A person's correction: `label` is right, `answer` is what the model answered."""

    picture: Base64
    label: Annotated[str, Field(description=LABEL, max_length=MAX_TEXT)]
    answer: Annotated[str, Field(description="The text of the answer.", max_length=MAX_TEXT)]
    status: Status
    probability: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    model: ModelIdentity


def routes(queue: BatchQueue, folder: Path) -> list[ApiRoute]:
    """Return the routes of the pages. Feedback is stored in `folder`."""
    holder, files = queue.holder, _static_files()
    writer = ThreadPoolExecutor(1)  # a writer that waits for a lock delays no prediction

    async def draw(_: Request) -> Response:
        """The page to try the model: to draw on, or to open an image."""
        page = holder.served.words
        samples = SAMPLES if page.noun == "digit" else {}
        values = {"model": holder.served.title, "samples": samples, "page": page}
        return _html(html_templates.render(WEB / "draw.html", **values))

    async def static(request: Request) -> Response:
        """A script, style sheet or icon of the pages."""
        path = files.get(request.path_params["name"])
        if path is None:
            raise RequestRefusedError(404, "there is no such file")
        return Response(path.read_bytes(), 200, NO_CACHE, CONTENT_TYPES[path.suffix])

    async def model(_: Request) -> Response:
        """The page about the model: where it comes from and how good it is."""
        return _html(render_model_page(holder.served))

    async def feedback(request: Request) -> Response:
        """Store an image with the label that a person gives it."""
        arguments = request["body"], holder.served.words, folder
        stored = await asyncio.wrap_future(writer.submit(_store_feedback, *arguments))
        return responses.json_response({**stored, "request_id": request["request_id"]})

    return [
        ApiRoute("/feedback", feedback, response=dict[str, str], body=FeedbackRequest),
        ApiRoute("/", draw),
        ApiRoute("/model", model),
        ApiRoute("/static/{name}", static),
    ]


def _static_files() -> dict[str, Path]:
    """Return the files that pages load, by name."""
    paths = [model_card.STYLES, *WEB.iterdir()]
    return {path.name: path for path in paths if path.suffix in CONTENT_TYPES}


def _html(text: str) -> Response:
    return Response(text, 200, NO_CACHE, "text/html")


def render_model_page(served: ServedModel) -> str:
    """Return the page about the model."""
    card = model_card.describe_model(served.classifier.manifest) | served.card
    link = served.words.link
    return model_card.render_page(card, served.title, standalone=False, link=link)


def error_response(scope: Scope, refused: HTTPException) -> Response:
    """Return the response to a refused request: a page for a browser, else JSON."""
    accepted = [value for name, value in scope["headers"] if name == b"accept"]
    if scope["method"] != "GET" or not any(b"text/html" in value for value in accepted):
        return responses.error_response(scope, refused)
    root = "../" * (scope["path"].count("/") - 1) or "./"
    status, request_id = refused.status_code, scope["request_id"]
    values = {"status": status, "error": refused.detail, "request_id": request_id}
    text = html_templates.render(WEB / "error.html", root=root, **values)
    return Response(text, status, refused.headers, "text/html")


def _expected_label(words: ModelWords) -> str:
    if words.noun == "digit":
        return "digits, with / between rows, as in 12/34"
    names = class_names.shorten(", ".join(words.classes), 80)
    if not words.draws:
        return f"a class ({names})"
    if class_names.are_characters(words.classes):
        return f"classes ({names}), with / between rows"
    return f"a class ({names}), or a JSON list of several"


def _store_feedback(body: bytes, words: ModelWords, folder: Path) -> dict[str, Any]:
    """Store a correction. Raises RequestRefusedError when it is not valid or there is no room."""
    request = responses.validate_request(FeedbackRequest, body)
    if not words.is_label(request.label):
        raise RequestRefusedError(400, f"label: expected {_expected_label(words)}")
    if request.answer and not words.is_label(request.answer):
        raise RequestRefusedError(400, "answer: expected the text of an answer of this model")
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
