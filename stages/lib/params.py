"""The one function that reads params.yaml, and what can be done with its values.

Its sections are the classes of `schema`; a stage names those that it needs by
annotating its parameters with them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from stages.lib.errors import UserError
from stages.lib.schema import Params, Section


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check `path`.

    Raises UserError, one line naming the key, what was found and what was expected.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; run this in the project's folder") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not valid YAML: {reason}; mend it there") from error
    return check(values, str(path))


def check(values: object, source: str) -> Params:
    """Turn plain values into Params; `source` is what messages call them."""
    try:
        found = Params.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_sentence(e) for e in error.errors())
        raise UserError(f"{source}: {problems}") from error
    for name, changes in found.recipes.items():
        changed(found, changes, f"{source}: recipes.{name}")
    return found


def changed(params: Params, changes: Mapping[str, Any], source: str) -> Params:
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
    return check({**plain, "recipes": {}}, source).model_copy(update={"recipes": params.recipes})


def recipe(params: Params, name: str) -> Params:
    """`params` with the changes of recipe `name`; UserError when there is none."""
    if name not in params.recipes:
        known = ", ".join(params.recipes)
        raise UserError(f"params.yaml has no recipe {name!r}; it has {known}")
    return changed(params, params.recipes[name], name)


def section(params: Params, kind: type[Section]) -> Section:
    """The section of `params` whose class is `kind`."""
    return next(value for _, value in params if isinstance(value, kind))


def section_name(kind: type[Section]) -> str:
    """The key in params.yaml that holds a section of class `kind`."""
    fields = Params.model_fields.items()
    return next(f.alias or name for name, f in fields if f.annotation is kind)


def _sentence(error: object) -> str:
    """One pydantic error as words: key, what was expected, what was found."""
    assert isinstance(error, dict)
    key = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "missing":
        return f"{key} is missing; add it (git diff params.yaml shows what changed)"
    if error["type"] == "extra_forbidden":
        return f"{key} is not a known key; remove it or correct its spelling"
    wanted = error["msg"].replace("Input should", "it should").removeprefix("Value error, ")
    return f"{key} is {error['input']!r}; {wanted}"
