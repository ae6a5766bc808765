"""What every answer has in common: JSON with a request id; errors as one sentence."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json"


class RefusedError(Exception):
    """A request that is not answered: an HTTP status and one sentence why."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}


def json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response of JSON; numbers of numpy are taken as they are."""
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, headers, JSON)


def error(request_id: str, status: int, sentence: str, headers: dict[str, str]) -> Response:
    """What a refused request gets."""
    return json({"error": sentence, "request_id": request_id}, status, headers)


def request_id(request: Request) -> str:
    """The id that the answer and the log carry."""
    return str(request.scope.get("request_id", ""))
