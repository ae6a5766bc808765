"""What operators ask: the numbers of the service, and how to speak to it."""

import html
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import HTMLResponse, Response

from stages.serving import describe
from stages.serving.metrics import Metrics


def router(app: FastAPI, metrics: Metrics) -> APIRouter:
    """`/metrics` and `/docs`."""
    routes = APIRouter(tags=["Operations"])

    @routes.get("/metrics", openapi_extra=describe.TEXT)
    def numbers() -> Response:
        """Numbers for Prometheus."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return HTMLResponse(page(app.openapi()))

    return routes


def page(description: dict[str, Any]) -> str:
    """An OpenAPI description as a page without scripts and styles of its own."""
    info = description["info"]
    parts = "".join(
        f"<h2>{method.upper()} {_text(path)}</h2>{''.join(_route(route))}"
        for path, methods in description["paths"].items()
        for method, route in methods.items()
    )
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return (
        f'<!doctype html><html lang="en"><head>{head}<title>{_text(info["title"])}: API</title>'
        f"</head><body><h1>{_text(info['title'])} {_text(info['version'])}</h1>"
        f"<p>{_text(info.get('description', ''))}</p><p>For programs: "
        f'<a href="openapi.json">openapi.json</a></p>{parts}</body></html>'
    )


def _route(route: dict[str, Any]) -> Iterator[str]:
    """What one route does, takes and answers."""
    yield f"<p>{_text(route.get('description') or route.get('summary', ''))}</p><ul>"
    for parameter in route.get("parameters", []):
        told = f"{_shape(parameter['schema'])}. {parameter.get('description', '')}"
        yield f"<li><code>{_text(parameter['name'])}</code> ({parameter['in']}): {_text(told)}</li>"
    for kind, body in route.get("requestBody", {}).get("content", {}).items():
        yield f"<li>body <code>{_text(kind)}</code>: {_text(_shape(body['schema']))}</li>"
    for status, response in route.get("responses", {}).items():
        shapes = [_shape(c.get("schema", {})) for c in response.get("content", {}).values()]
        told = f"{response.get('description', '')} {', '.join(shapes)}"
        yield f"<li>{_text(status)}: {_text(told)}</li>"
    yield "</ul>"


def _shape(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words."""
    if "oneOf" in schema:
        return " or ".join(map(_shape, schema["oneOf"]))
    if "properties" in schema:
        inner = ", ".join(f"{name}: {_shape(part)}" for name, part in schema["properties"].items())
        return f"{{{inner}}}"
    if "items" in schema:
        return f"[{_shape(schema['items'])}, ...]"
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    bounds = [str(schema[k]) for k in ("minimum", "maximum") if k in schema]
    kind = schema.get("const", schema.get("contentEncoding", schema.get("type", "anything")))
    return " ".join([str(kind) if isinstance(kind, str) else " or ".join(kind), "..".join(bounds)])


def _text(value: object) -> str:
    return html.escape(str(value))
