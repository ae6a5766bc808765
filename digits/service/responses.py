"""Shared by all routes: requests checked by pydantic, JSON responses, errors in one sentence."""

import base64
import re
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope
from typing_extensions import TypedDict

from digits.project.errors import describe_expected
from digits.service.served_model import ServedModel

JSON = "application/json"
INVOCATIONS = "/invocations"  # MLflow's route
MAX_JSON_VALUES, MAX_JSON_LISTS = 1_000_000, 50_000  # a thousand images of MNIST's size
NO_CACHE = {"Cache-Control": "no-cache"}  # so that browsers never run an old script
PLAIN_MESSAGES = {  # of a request; for the rest, `errors.describe_expected` has the words
    "bytes_type": "it should be a text in base64",
    "model_type": "it should be an object",
    "dict_type": "it should be an object",
}


def _decode_base64(value: Any) -> Any:
    """Return the bytes of a text in base64; what is no such text unchanged, which is an error.

    Read are both alphabets, with line breaks, without padding, and in a data URL.
    """
    if not isinstance(value, str):
        return value
    text = re.sub(r"^data:[^,]{0,200};base64,|\s", "", value).translate(URL_SAFE)
    with suppress(ValueError):
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    return value


URL_SAFE = str.maketrans("-_", "+/")
Base64 = Annotated[
    bytes,
    BeforeValidator(_decode_base64),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
Status = Literal["ok", "doubtful", "no digit", "no glyph"]
Name = Annotated[str, Field(pattern=r"^\w[^\x00-\x1f\x7f]{0,99}$")]


class RequestBody(BaseModel):
    """A request in JSON. Nothing is converted, and unknown fields are errors."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ModelIdentity(RequestBody):
    """The model that computed the response; other fields of a ModelDescription are ignored."""

    model_config = ConfigDict(extra="ignore")

    name: Name
    version: Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ModelDescription(TypedDict):
    """The model that computed the response: its identity, and what people know it by."""

    name: str
    version: str
    sha256: str
    title: Annotated[str, Field(description="The model in words.")]
    aliases: Annotated[list[str], Field(description="Of its version, when it was loaded.")]
    test_accuracy: float | None


RequestModel = TypeVar("RequestModel", bound=BaseModel)


class RequestRefusedError(HTTPException):
    """A request that is refused, with an HTTP status, one sentence why, and headers."""


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(orjson.dumps(value), status, headers, JSON)


def model_response(value: Any, served: ServedModel) -> Response:
    """Return a model's output, with the name and hash of the model in the headers."""
    return json_response(value, 200, served.headers)


def error_response(scope: Scope, refused: HTTPException) -> Response:
    """Return the response to a refused request; MLflow's route has the fields of MLflow, too."""
    content = {"error": refused.detail, "request_id": scope["request_id"]}
    if scope["path"] == INVOCATIONS:
        content |= {"error_code": "BAD_REQUEST", "message": refused.detail}
    return Response(orjson.dumps(content), refused.status_code, refused.headers, JSON)


def is_json(request: Request) -> bool:
    """Whether the content type is JSON in UTF-8."""
    kind, _, parameter = request.headers.get("content-type", "").lower().partition(";")
    return kind.strip() == JSON and parameter.strip() in {"", "charset=utf-8"}


def validate_request(model: type[RequestModel], body: Any, *, strict: bool = True) -> RequestModel:
    """Return a request as a `model`, from the bytes of JSON or from values.

    Unless `strict`, texts are converted. Raises RequestRefusedError with the first problem.
    """
    try:
        validate = model.model_validate_json if isinstance(body, bytes) else model.model_validate
        return validate(body, strict=strict)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"]))[:60] or "the body"
        problem = PLAIN_MESSAGES.get(first["type"]) or describe_expected(first["msg"])
        raise RequestRefusedError(400, " ".join(f"{field}: {problem}".split())) from None


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text; for bodies of many numbers, which orjson reads faster.

    Raises RequestRefusedError when the text is not JSON; NaN is not. And when it has so many
    values or lists that no other request would be answered while it is read.
    """
    lists = body.count(b"[") + body.count(b"{")
    if body.count(b",") > MAX_JSON_VALUES or lists > MAX_JSON_LISTS:
        limits = f"more than {MAX_JSON_VALUES:,} numbers or {MAX_JSON_LISTS:,} lists"
        raise RequestRefusedError(413, f"{limits}; split the request, or send the images as bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestRefusedError(400, "the body is not JSON; expected one object") from None
