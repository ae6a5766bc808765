"""Routes that know what they take and answer, and the OpenAPI document of them all.

Requests are models of pydantic, which check them, too; answers are typed dictionaries, whose
keys mypy checks. The schemas of both are pydantic's.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib import metadata
from inspect import getdoc
from typing import Any, NotRequired

from pydantic import BaseModel, TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope
from typing_extensions import TypedDict

from digits.service.responses import JSON

ABOUT = """Reads handwritten digits. Speaks MLflow's scoring protocol and Open Inference, too.

Refused are with 400 what is no right request, 401 whoever has not the token, 403 other sites
and hosts, 404 and 405 what is not here, 413 and 415 bodies that are too large or of another
kind, 503 what is too much at once, with `Retry-After`."""
PICTURE = {"image/*": {"schema": {"type": "string", "format": "binary"}}}
Document = dict[str, Any]


class ErrorBody(TypedDict):
    """What a request that is not answered gets."""

    error: str
    request_id: str
    error_code: NotRequired[str]
    message: NotRequired[str]


class ApiRoute(Route):
    """A route of Starlette, and what it takes and answers.

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
        self.answer, self.body, self.options = answer, body, options

    def described(self, tag: str, schemas: dict[Any, Document]) -> Document:
        """What OpenAPI says of it in the group `tag`; `schemas` by type."""
        summary, _, more = (getdoc(self.endpoint) or "").partition("\n\n")
        answer = {JSON: {"schema": schemas[self.answer]}} if self.answer else {"*/*": {}}
        refused = {JSON: {"schema": schemas[ErrorBody]}}
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


class RouteTable:
    """Who answers which request; paths without parameters are looked up, as fast for all."""

    def __init__(self, routes: Iterable[ApiRoute]) -> None:
        self.all = list(routes)
        self.plain = {route.path: route for route in self.all if not route.param_convertors}

    async def answer(self, scope: Scope) -> Response:
        """What the route of a request answers, whose body is in `scope`.

        It is called without Starlette's wrappers: `Front` catches what is raised, such as
        HTTPException for a path or a method that nobody answers.
        """
        scope["route"] = route = self.plain.get(scope["path"]) or self._matching(scope)
        if scope["method"] not in (route.methods or ()):
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(route.methods or ()))})
        response: Response = await route.endpoint(Request(scope))
        return response

    def _matching(self, scope: Scope) -> ApiRoute:
        for route in self.all:
            match, parameters = route.matches(scope)
            if match is not Match.NONE:
                scope.update(parameters)
                return route
        raise HTTPException(404)


def openapi_document(groups: Mapping[str, Sequence[ApiRoute]]) -> Document:
    """The OpenAPI document of routes in groups; takes a tenth of a second."""
    routes = [(tag, route) for tag, group in groups.items() for route in group]
    types = {kind: None for _, route in routes for kind in (route.answer, route.body) if kind}
    schemas, definitions = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(kind)) for kind in (ErrorBody, *types)],
        ref_template="#/components/schemas/{model}",
    )
    by_type = {kind: schema for (kind, _), schema in schemas.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Digits", "version": metadata.version("digits"), "description": ABOUT},
        "paths": {route.path: route.described(tag, by_type) for tag, route in routes},
        "components": {"schemas": definitions["$defs"]},
    }
