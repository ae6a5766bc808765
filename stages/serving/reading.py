"""`POST /predict`: a picture -> the digits on it."""

import base64
from typing import Annotated, NotRequired

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from stages.lib import reject
from stages.lib.answers import Answer, Look
from stages.lib.decode import decode
from stages.lib.errors import UserError
from stages.lib.formats import record
from stages.lib.preprocess import Found, find
from stages.serving import metrics, replies
from stages.serving.describe import Operation
from stages.serving.replies import Base64, Body, Model, RefusedError, Status
from stages.serving.work import Work

LARGEST = 24_000_000  # pixels; what telephones take, and 72 MB while it is read
Digit = Annotated[int | str, Field(description="A number where the class is called by one.")]


class Options(Body):
    """What a request wants to know of a picture."""

    top: Annotated[int, Field(ge=1, le=10, description="Answers per digit, likeliest first.")] = 1
    several: Annotated[bool | None, Field(description="Or one digit; automatic if absent.")] = None
    pictures: Annotated[bool, Field(description="Add what the network saw.")] = False


class Asked(Options):
    """A picture and what to know of it."""

    picture: Base64


class Likely(TypedDict):
    """One of several answers to a digit."""

    digit: Digit
    probability: float


class Reading(TypedDict):
    """The digits on a picture; lists have an entry for each digit."""

    status: Status
    digit: Annotated[Digit | None, Field(description="If there is one alone.")]
    probability: Annotated[float | None, Field(description="That the whole text is right.")]
    text: Annotated[str, Field(description="All digits, / between rows.")]
    boxes: Annotated[list[list[int]], Field(description="Left, top, right, bottom in pixels.")]
    probabilities: list[float]
    doubtful: list[bool]
    notes: list[str]
    top: NotRequired[list[list[Likely]]]
    pictures: NotRequired[Annotated[list[Base64], Field(description="What the network saw: PNG.")]]
    model: Model
    request_id: str


def routes(work: Work) -> list[Operation]:
    """The route."""

    async def predict(request: Request) -> Response:
        """The digits on a picture: PNG, JPEG, WebP, BMP, GIF or TIFF.

        The picture's bytes are the body, whatever the content type says; or they are in
        JSON as base64, beside the options.
        """
        asked, found, notes = await work.off_loop(_found, request)
        outcome = await work.read(found.pictures)
        served, likely = outcome.served, outcome.probabilities
        look = Look("", found, notes=notes)
        answer = Answer(look, served.classifier.classes, likely, reject.doubtful(likely))
        if answer.status != "ok":
            metrics.labelled(metrics.REJECTS, answer.status).inc()
        told = record(answer, asked.top)
        del told["file"]
        if asked.pictures:
            told["pictures"] = [_png(picture) for picture in found.pictures]
        about = {"model": served.identity, "request_id": request["request_id"]}
        return replies.answer(told | about, served)

    return [Operation("/predict", predict, answer=Reading, body=Asked, options=Options)]


def _found(request: Request) -> tuple[Asked, Found, tuple[str, ...]]:
    """What is asked, the digits on the picture, and what is to be known of its file.

    Raises RefusedError when something else is sent.
    """
    asked = _asked(request)
    try:
        scan = decode(asked.picture, "body", LARGEST)
        return asked, find(scan, asked.several), scan.notes
    except UserError as error:
        raise RefusedError(400, str(error)) from None


def _asked(request: Request) -> Asked:
    """What is asked, by query or by JSON. Raises RefusedError for anything else."""
    if replies.is_json(request):
        return replies.checked(Asked, request["body"])
    query = request.query_params.multi_items()
    if len(dict(query)) < len(query):
        raise RefusedError(400, "a parameter is given twice")
    told = {**dict(query), "picture": request["body"]}
    return replies.checked(Asked, told, strict=False)  # in a query, all values are text


def _png(picture: NDArray[np.uint8]) -> str:
    return base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
