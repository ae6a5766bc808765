"""What every answer has in common: JSON with a request id; errors as one sentence."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from stages.serving.served import Served

JSON = "application/json"


class RefusedError(Exception):
    """A request that is not answered: an HTTP status, one sentence why, headers, more fields."""

    def __init__(
        self,
        status: int,
        sentence: str,
        headers: dict[str, str] | None = None,
        more: dict[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence
        self.headers, self.more = headers or {}, more or {}


def json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response of JSON."""
    return Response(orjson.dumps(value), status, headers, JSON)


def answer(value: Any, served: Served) -> Response:
    """What a model answered, with its name and hash in the headers."""
    return json(value, 200, served.headers)


def error(request_id: str, refused: RefusedError) -> Response:
    """What a refused request gets."""
    told = {"error": refused.sentence, "request_id": request_id, **refused.more}
    return json(told, refused.status, refused.headers)


def request_id(request: Request) -> str:
    """The id that the answer and the log carry."""
    return str(request.scope["request_id"])


def is_json(request: Request) -> bool:
    """Whether a body is said to be JSON, in the one encoding that JSON has."""
    kind, _, parameter = request.headers.get("content-type", "").lower().partition(";")
    return kind.strip() == JSON and parameter.strip() in {"", "charset=utf-8"}


def parsed(body: bytes) -> Any:
    """The value of a JSON text. Raises RefusedError when it is none; NaN is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RefusedError(400, "the body is no JSON; expected one object") from None
