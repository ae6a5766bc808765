"""The description of the API: `/openapi.json` for programs, `/docs` with examples for people."""

import base64
import functools
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from digits.preprocessing import class_names
from digits.preprocessing.image_format import ImageFormat
from digits.project import html_templates
from digits.service import responses, tensor_payloads
from digits.service.openapi_routes import ApiRoute, openapi_document
from digits.service.served_model import ModelHolder, ServedModel

PAGE = Path(__file__).with_name("web") / "docs.html"
SAMPLE = "static/sample-number.jpg"  # for the example of an image that is sent as it is
SEVEN = np.array([[[7, 6], [20, 6], [12, 22]]], np.int32)  # corners of a line, x and y
Groups = Mapping[str, Sequence[ApiRoute]]


def routes(groups: Groups, holder: ModelHolder) -> list[ApiRoute]:
    """Return the routes that describe all routes of `groups`, themselves included."""

    @functools.cache
    def document_for(image_format: ImageFormat) -> Any:
        return openapi_document(groups, tensor_payloads.accepted_shape(image_format))

    def document() -> Any:
        return document_for(holder.served.classifier.format)

    async def openapi(_: Request) -> Response:
        """The description of this API, as an OpenAPI document."""
        return responses.json_response(await run_in_threadpool(document))

    async def docs(request: Request) -> Response:
        """The page that describes this API, with an example of each request and a form."""
        address = f"http://{request.headers['host']}"
        arguments = (groups, document, holder.served, address)
        text = await run_in_threadpool(render_docs, *arguments)
        return Response(text, 200, responses.NO_CACHE, "text/html")

    return [ApiRoute("/openapi.json", openapi, response=dict), ApiRoute("/docs", docs)]


def render_docs(groups: Groups, document: Any, served: ServedModel, address: str) -> str:
    """Return the page, with examples for a service at `address` that serves `served`."""
    description = document()
    schemas = description["components"]["schemas"]
    shown = {
        tag: [_describe(route, description, schemas, served, address) for route in group]
        for tag, group in groups.items()
    }
    values = {"groups": shown, "name": served.title, "address": address, "page": served.words}
    return html_templates.render(PAGE, about=description["info"]["description"], **values)


def _describe(
    route: ApiRoute, document: Any, schemas: Any, served: ServedModel, address: str
) -> dict[str, Any]:
    """Return what the page shows of a route: texts, fields, its form, and the command."""
    method = "GET" if route.body is None else "POST"
    operation = document["paths"][route.path][method.lower()]
    known = {"name": served.name, "version": served.version}
    known["name"] = "page.css" if route.path.startswith("/static") else known["name"]
    path = route.path.format_map(known)
    body = json.dumps(example_body(route, served)) if route.body else ""
    request = operation.get("requestBody", {}).get("content", {}).get(responses.JSON, {})
    response = operation["responses"]["200"]["content"].get(responses.JSON, {})
    return {
        **{key: operation[key] for key in ("summary", "description")},
        "method": method,
        "path": route.path,
        "example": path,
        "body": body,
        "takes_image": route.options is not None,
        "query": [p for p in operation["parameters"] if p["in"] == "query"],
        "request": list_fields(request.get("schema", {}), schemas),
        "response": list_fields(response.get("schema", {}), schemas),
        "commands": list(_commands(route, f"{address}{path}", _sample(served, address), body)),
    }


def _sample(served: ServedModel, address: str) -> str:
    """Return the address of an image to try, if there is one for these classes."""
    is_digits = served.words.noun == "digit"
    return f"{address}/{SAMPLE}" if is_digits else ""


def _commands(route: ApiRoute, url: str, sample: str, body: str) -> list[str]:
    """Return the commands with curl that send the example; without a `sample`, a photo."""
    if route.body is None:
        return [f"curl {shlex.quote(url)}"]
    kind = f"-H 'Content-Type: {responses.JSON}'"
    image = f"curl --data-binary @photo.jpg {shlex.quote(url)}"
    if sample:
        image = f"curl -s {shlex.quote(sample)} | curl --data-binary @- {shlex.quote(url)}"
    return [image] * (route.options is not None) + [
        f"curl {kind} -d {shlex.quote(body)} {shlex.quote(url)}"
    ]


def example_body(route: ApiRoute, served: ServedModel) -> dict[str, Any]:
    """Return a valid JSON body for a route that takes one: a 7, or an image of four pixels."""
    pixels = example_pixels(served.classifier.format)
    drawn = 255 - pixels if pixels.ndim == 2 else pixels
    image = base64.b64encode(cv2.imencode(".png", drawn)[1].data).decode()
    if route.path == "/predict":
        return {"picture": image, "top": 3}
    if route.path == "/feedback":
        classes = served.classifier.classes
        label, other = ("7", "1") if class_names.are_digits(classes) else (classes[0], classes[-1])
        answer = {"answer": other, "status": "doubtful", "probability": 0.6}
        return {"picture": image, "label": label, **answer, "model": served.identity}
    if route.path == "/invocations":
        return {"inputs": [pixels.tolist()]}
    tensor = {"name": served.input_name, "datatype": "UINT8", "shape": [1, *pixels.shape]}
    return {"inputs": [{**tensor, "data": pixels.ravel().tolist()}]}


def example_pixels(image_format: ImageFormat) -> NDArray[np.uint8]:
    """Return a 7 as a glyph, or an image of two by two pixels."""
    if image_format.kind == "images":
        return np.array([[[250, 80, 60], [240, 200, 90]], [[60, 120, 200], [30, 40, 60]]], np.uint8)
    glyph = cv2.polylines(np.zeros((28, 28), np.uint8), [*SEVEN], False, 255, 2, cv2.LINE_AA)
    return np.asarray(cv2.resize(glyph, image_format.shape), np.uint8)


def list_fields(schema: Any, schemas: Any) -> list[dict[str, str]]:
    """Return name, type and description of each field of a schema; of several, of the first."""
    schema = _resolve(schema, schemas)
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "type": _type_name(field, schemas) + ("" if name in required else ", optional"),
            "description": field.get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _resolve(schema: Any, schemas: Any) -> Any:
    """Follow references, and take the first of several alternatives."""
    while "$ref" in schema or "anyOf" in schema:
        schema = (
            schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema["anyOf"][0]
        )
    return schema


def _type_name(field: Any, schemas: Any) -> str:
    """Return the type of a field in words, such as `list of number`."""
    if "anyOf" in field:
        return " or ".join(_type_name(each, schemas) for each in field["anyOf"])
    kind = _resolve(field, schemas)
    if kind.get("type") == "array":
        return f"list of {_type_name(kind.get('items', {}), schemas)}"
    choices = ", ".join(map(json.dumps, kind.get("enum", [])))
    return "base64" if "contentEncoding" in kind else choices or str(kind.get("type", "any"))
