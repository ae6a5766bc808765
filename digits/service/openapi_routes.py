"""Routes that know the types of their requests and responses, and the OpenAPI document.

Request bodies are pydantic models, which also check them. Responses are typed dictionaries,
whose keys mypy checks. Pydantic makes the schemas of both.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib import metadata
from inspect import getdoc
from pathlib import Path
from typing import Any, NotRequired

from pydantic import BaseModel, TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope
from typing_extensions import TypedDict

from digits.service.responses import JSON

ABOUT = Path(__file__).with_name("web") / "api.md"  # an introduction for /docs
IMAGE = {"image/*": {"schema": {"type": "string", "format": "binary"}}}
Document = dict[str, Any]


class ErrorBody(TypedDict):
    """The response to a request that is refused."""

    error: str
    request_id: str
    error_code: NotRequired[str]
    message: NotRequired[str]


class ApiRoute(Route):
    """A Starlette route with the types of its request and its response.

    `response` is the type of its JSON, None for other content; `body` is that of the request.
    With `options`, the body may also be an image's bytes, with the options in the query.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        *,
        response: Any = None,
        body: Any = None,
        options: type[BaseModel] | None = None,
    ) -> None:
        super().__init__(path, endpoint, methods=["GET" if body is None else "POST"])
        self.response, self.body, self.options = response, body, options

    def describe(self, tag: str, schemas: dict[Any, Document]) -> Document:
        """Return the OpenAPI path item in the group `tag`, with `schemas` by type."""
        summary, _, description = (getdoc(self.endpoint) or "").partition("\n\n")
        content = {JSON: {"schema": schemas[self.response]}} if self.response else {"*/*": {}}
        refused = {JSON: {"schema": schemas[ErrorBody]}}
        operation: Document = {
            "tags": [tag],
            "summary": summary,
            "description": description,
            "parameters": self._parameters(),
            "responses": {
                "200": {"description": "The request was answered.", "content": content},
                "default": {"description": "The request was refused.", "content": refused},
            },
        }
        if self.body is None:
            return {"get": operation}
        body = (IMAGE if self.options else {}) | {JSON: {"schema": schemas[self.body]}}
        return {"post": operation | {"requestBody": {"required": True, "content": body}}}

    def _parameters(self) -> list[Document]:
        """Describe the parameters in the path and in the query."""
        path = {"in": "path", "required": True, "schema": {"type": "string"}}
        options = self.options.model_json_schema()["properties"] if self.options else {}
        return [{"name": name, **path} for name in self.param_convertors] + [
            {"name": name, "in": "query", "description": schema["description"], "schema": schema}
            for name, schema in options.items()
        ]


class RouteTable:
    """All routes. Paths without parameters are looked up, so their number costs no time."""

    def __init__(self, routes: Iterable[ApiRoute]) -> None:
        self.routes = list(routes)
        self.by_path = {route.path: route for route in self.routes if not route.param_convertors}

    async def respond(self, scope: Scope) -> Response:
        """Return the response of the route for a request, whose body is in `scope`.

        Starlette's wrappers are left out. `RequestMiddleware` handles the exceptions, such as
        HTTPException for an unknown path or method.
        """
        scope["route"] = route = self.by_path.get(scope["path"]) or self._matching_route(scope)
        if scope["method"] not in (route.methods or ()):
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(route.methods or ()))})
        response: Response = await route.endpoint(Request(scope))
        return response

    def _matching_route(self, scope: Scope) -> ApiRoute:
        """Find a route by pattern. Raises HTTPException (404) if no route matches."""
        for route in self.routes:
            match, parameters = route.matches(scope)
            if match is not Match.NONE:
                scope.update(parameters)
                return route
        raise HTTPException(404)


def openapi_document(
    groups: Mapping[str, Sequence[ApiRoute]], tensor_shape: Sequence[int]
) -> Document:
    """Return the OpenAPI document of routes in groups; -1 in `tensor_shape` is any number."""
    routes = [(tag, route) for tag, group in groups.items() for route in group]
    types = {kind: None for _, route in routes for kind in (route.response, route.body) if kind}
    schemas, definitions = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(kind)) for kind in (ErrorBody, *types)],
        ref_template="#/components/schemas/{model}",
    )
    by_type = {kind: schema for (kind, _), schema in schemas.items()}
    shape = ", ".join(
        "n" if i == 0 else "any" if n < 0 else f"{n}" for i, n in enumerate(tensor_shape)
    )
    tensors = f"Images as numbers are of type uint8 and of shape [{shape}]."
    info = {"title": "Digits", "description": f"{ABOUT.read_text('utf-8')}\n{tensors}\n"}
    return {
        "openapi": "3.1.0",
        "info": info | {"version": metadata.version("digits")},
        "paths": {route.path: route.describe(tag, by_type) for tag, route in routes},
        "components": {"schemas": definitions["$defs"]},
    }
