"""Routes that know what they take and answer, and the OpenAPI document of them all.

Requests are models of pydantic, which check them, too; answers are typed dictionaries, whose
keys mypy checks. The schemas of both are pydantic's.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import metadata
from inspect import getdoc
from typing import Any, NotRequired

from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from typing_extensions import TypedDict

from stages.serving.replies import JSON

ABOUT = """Reads handwritten digits. Speaks MLflow's scoring protocol and Open Inference, too.

Refused are with 400 what is no right request, 401 whoever has not the token, 403 other sites
and hosts, 404 and 405 what is not here, 413 and 415 bodies that are too large or of another
kind, 503 what is too much at once, with `Retry-After`."""
PICTURE = {"image/*": {"schema": {"type": "string", "format": "binary"}}}
Document = dict[str, Any]


class Refusal(TypedDict):
    """What a request that is not answered gets."""

    error: str
    request_id: str
    error_code: NotRequired[str]
    message: NotRequired[str]


class Operation(Route):
    """A route of Starlette, called without its wrappers: `Front` catches what is raised.

    `answer` is the type of its JSON, None for others; `body` that of the request's. Where
    there are `options`, the body may be a picture's bytes, beside them as the query.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        *,
        answer: Any = None,
        body: Any = None,
        options: type[BaseModel] | None = None,
    ) -> None:
        super().__init__(path, endpoint, methods=["GET" if body is None else "POST"])
        self.app = self._answered
        self.answer, self.body, self.options = answer, body, options

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.endpoint(Request(scope, receive))
        await response(scope, receive, send)

    def described(self, tag: str, schemas: dict[Any, Document]) -> Document:
        """What OpenAPI says of it in the group `tag`; `schemas` by type."""
        summary, _, more = (getdoc(self.endpoint) or "").partition("\n\n")
        answer = {JSON: {"schema": schemas[self.answer]}} if self.answer else {"*/*": {}}
        refused = {JSON: {"schema": schemas[Refusal]}}
        told: Document = {
            "tags": [tag],
            "summary": summary,
            "description": more,
            "parameters": self._parameters(),
            "responses": {
                "200": {"description": "the answer", "content": answer},
                "default": {"description": "why it is refused", "content": refused},
            },
        }
        if self.body is None:
            return {"get": told}
        body = (PICTURE if self.options else {}) | {JSON: {"schema": schemas[self.body]}}
        return {"post": told | {"requestBody": {"required": True, "content": body}}}

    def _parameters(self) -> list[Document]:
        path = {"in": "path", "required": True, "schema": {"type": "string"}}
        named = [{"name": name, **path} for name in self.param_convertors]
        options = self.options.model_json_schema()["properties"] if self.options else {}
        return named + [
            {"name": n, "in": "query", "description": s["description"], "schema": s}
            for n, s in options.items()
        ]


def document(groups: Mapping[str, Sequence[Operation]]) -> Document:
    """The OpenAPI document of routes in groups; takes a tenth of a second."""
    routes = [(tag, route) for tag, group in groups.items() for route in group]
    types = {kind: None for _, route in routes for kind in (route.answer, route.body) if kind}
    schemas, definitions = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(kind)) for kind in (Refusal, *types)],
        ref_template="#/components/schemas/{model}",
    )
    by_type = {kind: schema for (kind, _), schema in schemas.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Digits", "version": metadata.version("digits"), "description": ABOUT},
        "paths": {route.path: route.described(tag, by_type) for tag, route in routes},
        "components": {"schemas": definitions["$defs"]},
    }
