"""What OpenAPI says of the routes; they read their bodies themselves, for speed."""

from typing import Any

Extra = dict[str, Any]
_NUMBERS: Extra = {
    "type": "array",
    "items": {
        "type": "array",
        "items": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}},
    },
    "description": "pictures [n, 28, 28], 0 the background",
}
_ERROR: Extra = {
    "type": "object",
    "required": ["error", "request_id"],
    "properties": {"error": {"type": "string"}, "request_id": {"type": "string"}},
}
_FLAG: Extra = {"type": "boolean"}
_TOP: Extra = {"type": "integer", "minimum": 1, "maximum": 10, "default": 1}
_ANSWER: Extra = {
    "type": "object",
    "required": ["status", "text", "model", "request_id"],
    "properties": {
        "status": {"enum": ["ok", "doubtful", "no digit"]},
        "digit": {"type": ["integer", "string", "null"], "description": "if there is one alone"},
        "probability": {"type": ["number", "null"], "description": "that the text is right"},
        "text": {"type": "string", "description": "all digits, / between rows"},
        "boxes": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "integer"}},
            "description": "left, top, right, bottom in pixels",
        },
        "probabilities": {"type": "array", "items": {"type": "number"}},
        "doubtful": {"type": "array", "items": _FLAG},
        "notes": {"type": "array", "items": {"type": "string"}},
        "top": {"type": "array", "items": {"type": "array", "items": {"type": "object"}}},
        "pictures": {
            "type": "array",
            "items": {"type": "string", "contentEncoding": "base64"},
            "description": "what the network saw, PNG of 28 x 28",
        },
        "model": {"type": "object", "description": "name, version and sha256 of what answered"},
        "request_id": {"type": "string"},
    },
}


def _json(schema: Extra) -> Extra:
    return {"application/json": {"schema": schema}}


def _responses(schema: Extra, *refusals: int) -> Extra:
    told = {"200": {"description": "the answer", "content": _json(schema)}}
    for status in (400, *refusals, 401, 403):
        told[str(status)] = {"description": "refused", "content": _json(_ERROR)}
    return told


def _query(name: str, schema: Extra, description: str) -> Extra:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _named(*names: str) -> list[Extra]:
    """The parameters of a path."""
    schema: Extra = {"type": "string"}
    return [{"name": n, "in": "path", "required": True, "schema": schema} for n in names]


_POSTED = (413, 415, 503)
_OBJECT: Extra = {"type": "object"}
_OPTIONS = {
    "top": (_TOP, "answers per digit, the likeliest first"),
    "several": (_FLAG, "several digits, or one; automatic when absent"),
    "pictures": (_FLAG, "add what the network saw"),
}
PREDICT: Extra = {
    "parameters": [_query(name, *option) for name, option in _OPTIONS.items()],
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            **_json(
                {
                    "type": "object",
                    "required": ["picture"],
                    "additionalProperties": False,
                    "properties": {
                        "picture": {"type": "string", "contentEncoding": "base64"},
                        **{name: schema for name, (schema, _) in _OPTIONS.items()},
                    },
                }
            ),
        },
    },
    "responses": _responses(_ANSWER, *_POSTED),
}
INVOCATIONS: Extra = {
    "requestBody": {
        "required": True,
        "content": _json(
            {
                "oneOf": [
                    {"type": "object", "required": [name], "properties": {name: _NUMBERS}}
                    for name in ("inputs", "instances")
                ]
            }
        ),
    },
    "responses": _responses(_OBJECT, *_POSTED),
}
_INFER: Extra = {
    "requestBody": {
        "required": True,
        "content": _json(
            {
                "type": "object",
                "required": ["inputs"],
                "properties": {
                    "id": {"type": "string"},
                    "inputs": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["name", "shape", "datatype", "data"],
                            "properties": {
                                "name": {"const": "pictures"},
                                "datatype": {"const": "UINT8"},
                                "shape": {"type": "array", "items": {"type": "integer"}},
                                "data": {"type": "array"},
                            },
                        },
                    },
                    "outputs": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"name": {"enum": ["logits", "probabilities"]}},
                        },
                    },
                },
            }
        ),
    },
    "responses": _responses(_OBJECT, 404, *_POSTED),
}
INFER = {"parameters": _named("name"), **_INFER}
INFER_VERSION = {"parameters": _named("name", "version"), **_INFER}
MODEL = {"parameters": _named("name"), "responses": _responses(_OBJECT, 404)}
MODEL_VERSION = {**MODEL, "parameters": _named("name", "version")}
ANY_OBJECT: Extra = {"responses": _responses(_OBJECT)}
READY: Extra = {"responses": _responses(_OBJECT, 503)}
HEALTH: Extra = {"responses": {"200": {"description": "yes"}, "503": {"description": "no"}}}
TEXT: Extra = {
    "responses": {
        "200": {"description": "text", "content": {"text/plain": {"schema": {"type": "string"}}}}
    }
}
