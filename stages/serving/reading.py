"""`POST /predict`: a picture -> the digits on it."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import cv2
import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from stages.lib import reject
from stages.lib.answers import Answer, Look
from stages.lib.errors import UserError
from stages.lib.formats import record
from stages.lib.preprocess import Found, decode, find
from stages.serving import replies
from stages.serving.replies import RefusedError
from stages.serving.work import Work

LARGEST = 24_000_000  # pixels; what a telephone takes, in 100 MB


@dataclass(frozen=True)
class Asked:
    """What a request wants to know of a picture."""

    picture: bytes
    top: int = 1
    several: bool | None = None
    pictures: bool = False


def router(work: Work) -> APIRouter:
    """The route, on a service's `work`."""
    routes = APIRouter()

    @routes.post("/predict")
    async def predict(request: Request) -> Response:
        asked = _asked(request, await request.body())
        found, notes = await work.off_loop(_found, asked)
        served, probabilities = await work.probabilities(found.pictures)
        look = Look("", found, notes=notes)
        doubtful = reject.doubtful(probabilities)
        answer = Answer(look, served.classifier.classes, probabilities, doubtful)
        told = record(answer, asked.top)
        del told["file"]
        if asked.pictures:
            told["pictures"] = [_png(picture) for picture in found.pictures]
        about = {"model": served.identity, "request_id": replies.request_id(request)}
        return replies.json(told | about)

    return routes


def _asked(request: Request, body: bytes) -> Asked:
    """What is asked, by query or by JSON. Raises RefusedError for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip() == replies.JSON:
        return _checked(_object(body))
    told = {key: _plain(value) for key, value in request.query_params.items()}
    return _checked(told | {"picture": body})


def _plain(text: str) -> Any:
    return {"true": True, "false": False}.get(text, int(text) if text.isdecimal() else text)


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(body)
        told["picture"] = base64.b64decode(told["picture"], validate=True)
    except (orjson.JSONDecodeError, LookupError, TypeError, binascii.Error, ValueError):
        raise RefusedError(400, 'expected a JSON object with "picture" in base64') from None
    return dict(told)


def _checked(told: dict[str, Any]) -> Asked:
    for key, value in told.items():
        if key not in Asked.__dataclass_fields__:
            raise RefusedError(400, f"{key!r} is not known; expected top, several or pictures")
        whole = isinstance(value, bool) or (value is None and key == "several")
        if key in {"several", "pictures"} and not whole:
            raise RefusedError(400, f"{key} is to be true or false")
    top = told.get("top", 1)
    if type(top) is not int or not 1 <= top <= 10:
        raise RefusedError(400, "top is to be a number from 1 to 10")
    return Asked(**told)


def _found(asked: Asked) -> tuple[Found, tuple[str, ...]]:
    try:
        scan = decode(asked.picture, "body")
        return find(scan, asked.several), scan.notes
    except UserError as error:
        raise RefusedError(400, str(error)) from None


def _png(picture: Any) -> str:
    return base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
