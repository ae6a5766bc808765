"""`POST /predict`: a picture -> the digits on it."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from stages.lib import reject
from stages.lib.answers import Answer, Look
from stages.lib.decode import decode
from stages.lib.errors import UserError
from stages.lib.formats import record
from stages.lib.preprocess import Found, find
from stages.serving import describe, replies
from stages.serving.metrics import Metrics
from stages.serving.replies import RefusedError
from stages.serving.work import Work

LARGEST = 24_000_000  # pixels; what telephones take, and 72 MB while it is read
WORDS = {"true": True, "false": False}


@dataclass(frozen=True)
class Asked:
    """What a request wants to know of a picture."""

    picture: bytes
    top: int = 1
    several: bool | None = None
    pictures: bool = False


def router(work: Work, metrics: Metrics) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["Digits"])

    @routes.post("/predict", openapi_extra=describe.PREDICT)
    async def predict(request: Request) -> Response:
        """The digits on a picture: PNG, JPEG, WebP, BMP, GIF or TIFF.

        The picture's bytes are the body, whatever the content type says; or they are in
        JSON as base64.
        """
        body = await request.body()
        asked = await work.off_loop(_asked, (request, body))
        found, notes = await work.off_loop(_found, asked)
        outcome = await work.read(found.pictures)
        served, likely = outcome.served, outcome.probabilities
        look = Look("", found, notes=notes)
        answer = Answer(look, served.classifier.classes, likely, reject.doubtful(likely))
        metrics.answered(answer)
        told = record(answer, asked.top)
        del told["file"]
        if asked.pictures:
            told["pictures"] = [_png(picture) for picture in found.pictures]
        about = {"model": served.identity, "request_id": replies.request_id(request)}
        return replies.answer(told | about, served)

    return routes


def _asked(told: tuple[Request, bytes]) -> Asked:
    """What is asked, by query or by JSON. Raises RefusedError for anything else."""
    request, body = told
    if replies.is_json(request):
        return _checked(_object(body))
    query = request.query_params.multi_items()
    if len(dict(query)) < len(query):
        raise RefusedError(400, "a parameter is given twice")
    return _checked({key: _value(text) for key, text in query} | {"picture": body})


def _value(text: str) -> bool | int | str:
    """A parameter of the query as JSON would have it."""
    number = text.isascii() and text.isdecimal() and len(text) < 9
    return WORDS.get(text, int(text) if number else text)


def _object(body: bytes) -> dict[str, Any]:
    """A request as JSON, its picture decoded."""
    told: dict[str, Any] = replies.parsed(body)
    try:
        return told | {"picture": base64.b64decode(told["picture"], validate=True)}
    except (LookupError, TypeError, ValueError, binascii.Error):
        raise RefusedError(400, 'expected a JSON object with "picture" in base64') from None


def _checked(told: dict[str, Any]) -> Asked:
    for key, value in told.items():
        if key not in Asked.__dataclass_fields__:
            raise RefusedError(400, "a parameter is not known; expected top, several or pictures")
        if key in {"several", "pictures"} and type(value) is not bool:
            raise RefusedError(400, f"{key} is to be true or false")
    top = told.get("top", 1)
    if type(top) is not int or not 1 <= top <= 10:
        raise RefusedError(400, "top is to be a number from 1 to 10")
    return Asked(**told)


def _found(asked: Asked) -> tuple[Found, tuple[str, ...]]:
    """The digits on a picture, and what is to be known of its file."""
    try:
        scan = decode(asked.picture, "body", LARGEST)
        return find(scan, asked.several), scan.notes
    except UserError as error:
        raise RefusedError(400, str(error)) from None


def _png(picture: NDArray[np.uint8]) -> str:
    return base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
