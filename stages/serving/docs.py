"""The API's documentation as a page: FastAPI's own loads its scripts from elsewhere."""

import html
from collections.abc import Iterator
from typing import Any

Description = dict[str, Any]
FIRST = ("/predict", "/invocations")  # what people look for
HEAD = (
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    '<link rel="icon" href="static/icon.svg" type="image/svg+xml">'
    '<link rel="stylesheet" href="static/page.css">'
)


def page(description: Description) -> str:
    """An OpenAPI description as a page without scripts."""
    info = description["info"]
    title = f"{_text(info['title'])} {_text(info['version'])}: API"
    paths = sorted(description["paths"].items(), key=lambda pair: pair[0] not in FIRST)
    sections = "".join(
        f"<section><h2><code>{method.upper()} {_text(path)}</code></h2>{_route(route)}</section>"
        for path, methods in paths
        for method, route in methods.items()
    )
    return (
        f'<!doctype html><html lang="en"><head>{HEAD}<title>{title}</title></head>'
        f'<body class="about"><header class="top"><h1>{title}</h1>'
        f'<a class="model" href="./">Draw</a></header><main><p>{_text(info["description"])} '
        f'For programs: <a href="openapi.json">openapi.json</a></p>{sections}</main></body></html>'
    )


def _route(route: Description) -> str:
    """What one route does, takes and answers."""
    rows = "".join(f"<dt>{term}</dt><dd>{told}</dd>" for term, told in _rows(route))
    told = route.get("description") or route.get("summary", "")
    return f"<p>{_text(told)}</p><dl>{rows}</dl>"


def _rows(route: Description) -> Iterator[tuple[str, str]]:
    for parameter in route.get("parameters", []):
        told = ": ".join(filter(None, [_shape(parameter["schema"]), parameter.get("description")]))
        yield f"{_text(parameter['in'])} <code>{_text(parameter['name'])}</code>", _text(told)
    for kind, body in route.get("requestBody", {}).get("content", {}).items():
        yield "body", f"{_text(kind)} <code>{_text(_shape(body['schema']))}</code>"
    answers = route["responses"]
    for status in sorted(s for s in answers if s < "400"):
        shapes = [_shape(c.get("schema", {})) for c in answers[status].get("content", {}).values()]
        told = ", ".join(shapes) or answers[status]["description"]
        yield _text(status), f"<code>{_text(told)}</code>"
    if refused := ", ".join(sorted(s for s in answers if s >= "400")):
        yield "refused", _text(refused)


def _shape(schema: Description) -> str:
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
    bounds = " to ".join(f"{schema[k]:g}" for k in ("minimum", "maximum") if k in schema)
    kind = schema.get("const", schema.get("contentEncoding", schema.get("type", "anything")))
    named = kind if isinstance(kind, str) else " or ".join(map(str, kind or ()))
    return f"{named} {bounds}".rstrip()


def _text(value: object) -> str:
    return html.escape(str(value))
