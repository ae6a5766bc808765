"""What all routes share: JSON that is checked by models, errors as one sentence."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digits.service.served_model import ServedModel

JSON = "application/json"
PLAIN_MESSAGES = {  # where those of pydantic tell of Python
    "bytes_type": "Input should be a text in base64",
    "model_type": "Input should be an object",
}
Base64 = Annotated[
    bytes,
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]

Status = Literal["ok", "doubtful", "no digit"]
Name = Annotated[str, Field(pattern=r"^\w[^\x00-\x1f\x7f]{0,99}$")]


class RequestBody(BaseModel):
    """A request in JSON: nothing is converted, nothing unknown is passed over."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", val_json_bytes="base64")


class ModelIdentity(RequestBody):
    """The model that answered."""

    name: Name
    version: Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


RequestModel = TypeVar("RequestModel", bound=BaseModel)


class RequestRefusedError(HTTPException):
    """A request that is not answered: an HTTP status, one sentence why, headers."""


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response of JSON."""
    return Response(orjson.dumps(value), status, headers, JSON)


def model_response(value: Any, served: ServedModel) -> Response:
    """What a model answered, with its name and hash in the headers."""
    return json_response(value, 200, served.headers)


def error_response(request_id: str, refused: HTTPException, **more: str) -> Response:
    """What a refused request gets."""
    told = {"error": refused.detail, "request_id": request_id, **more}
    return json_response(told, refused.status_code, refused.headers)


def is_json(request: Request) -> bool:
    """Whether a body is said to be JSON, in the one encoding that JSON has."""
    kind, _, parameter = request.headers.get("content-type", "").lower().partition(";")
    return kind.strip() == JSON and parameter.strip() in {"", "charset=utf-8"}


def validate_request(model: type[RequestModel], told: Any, *, strict: bool = True) -> RequestModel:
    """A request as `model` has it, from the bytes of JSON or from values.

    Not `strict`: texts are converted. Raises RefusedError with what is wrong first.
    """
    try:
        if isinstance(told, bytes):
            return model.model_validate_json(told, strict=strict)
        return model.model_validate(told, strict=strict)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))[:60] or "the body"
        wrong = PLAIN_MESSAGES.get(first["type"], first["msg"])
        raise RequestRefusedError(400, " ".join(f"{place}: {wrong}".split())) from None


def parse_json(body: bytes) -> Any:
    """The value of a JSON text, three times as fast as by a model where it is all numbers.

    Raises RefusedError when it is none; NaN is none.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestRefusedError(400, "the body is no JSON; expected one object") from None
