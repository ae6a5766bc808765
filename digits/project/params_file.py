"""The one function that reads params.yaml, the one that writes to it, and work with its values.

The file is YAML 1.2, as DVC reads it. Its sections are the classes of `schema`; a stage
names those that it needs by annotating its parameters with them.
"""

import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from digits.project import atomic_files
from digits.project.errors import UserError
from digits.project.params_schema import Params, ParamsSection


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check `path`.

    Raises UserError, one line naming the key, what was found and what was expected.
    """
    return check_params(read_yaml(path), str(path))


def read_yaml(path: Path, kind: str = "safe") -> Any:
    """What `path` holds, unchecked; with `kind` "rt" (round trip) its comments and layout too.

    Raises UserError, one line, when there is no such file or it is not valid YAML.
    """
    try:
        return _yaml(kind).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; run this in the project's folder") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {_reason(error)}; mend it there") from error


def _yaml(kind: str) -> YAML:
    found = YAML(typ=kind, pure=True)
    found.width = sys.maxsize  # no line is broken
    found.preserve_quotes = True
    return found


def _reason(error: Exception) -> str:
    """The reader's own words, with the line where it has one."""
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: {getattr(error, 'problem', '')}" if mark else str(error)
    return " ".join(where.split())


def write_values(path: Path, changes: Mapping[str, Any]) -> None:
    """Give the dotted keys of `changes` other values; comments and order stay.

    Raises UserError, and changes nothing, for a value that is not allowed.
    """
    with_changes(load_params(path), changes, str(path))
    document = read_yaml(path, "rt")
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = document
        for name in sections:
            place = place[name]
        if isinstance(value, list):
            place[last][:] = value  # in its own layout
        else:
            place[last] = value
    text = io.StringIO()
    _yaml("rt").dump(document, text)
    atomic_files.write_bytes(path, text.getvalue().encode())


def format_value(value: Any) -> str:
    """`value` as YAML 1.2 and as `dvc exp run -S` read it, without blanks."""
    return json.dumps(value, separators=(",", ":")).strip('"')


def override_words(changes: Mapping[str, Any]) -> list[str]:
    """`changes` as the words that `dvc exp run -S` takes."""
    return [f"{key}={format_value(value)}" for key, value in changes.items()]


def check_params(values: object, source: str) -> Params:
    """Turn plain values into Params; `source` is what messages call them."""
    try:
        found = Params.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_sentence(e) for e in error.errors())
        raise UserError(f"{source}: {problems}") from error
    for name, changes in found.recipes.items():
        with_changes(found, changes, f"{source}: recipes.{name}")
    return found


def with_changes(params: Params, changes: Mapping[str, Any], source: str) -> Params:
    """`params` with other values at the dotted keys of `changes`, such as train.seed.

    Raises UserError, beginning with `source`, for a key or a value that is none.
    """
    plain = params.model_dump(mode="json", by_alias=True, exclude={"recipes"})
    for key, value in changes.items():
        *path, last = key.split(".")
        place: Any = plain
        for name in path:
            place = place.get(name) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            raise UserError(f"{source}: {key} is not a known key; correct its spelling")
        place[last] = value
    return check_params({**plain, "recipes": {}}, source).model_copy(
        update={"recipes": params.recipes}
    )


def with_recipe(params: Params, name: str) -> Params:
    """`params` with the changes of recipe `name`; UserError when there is none."""
    if name not in params.recipes:
        known = ", ".join(params.recipes)
        raise UserError(f"params.yaml has no recipe {name!r}; it has {known}")
    return with_changes(params, params.recipes[name], name)


def find_section(params: Params, kind: type[ParamsSection]) -> ParamsSection:
    """The section of `params` whose class is `kind`."""
    return next(value for _, value in params if isinstance(value, kind))


def _sentence(error: ErrorDetails) -> str:
    """One pydantic error as words: key, what was expected, what was found."""
    key = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "missing":
        return f"{key} is missing; add it (git diff params.yaml shows what changed)"
    if error["type"] == "extra_forbidden":
        return f"{key} is not a known key; remove it or correct its spelling"
    wanted = error["msg"].replace("Input should", "it should").removeprefix("Value error, ")
    return f"{key} is {error['input']!r}; {wanted}"
