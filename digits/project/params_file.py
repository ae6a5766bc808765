"""Read, check, change and write params.yaml.

The file is YAML 1.2, as DVC reads it. What its sections may hold is in `params_schema`. Which
section a stage receives is in `stage`.
"""

import copy
import functools
import io
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import CommentMark, YAMLError

from digits.project import atomic_files
from digits.project.errors import UserError, describe_expected
from digits.project.params_schema import Params

COMMENT_COLUMN = 38  # of params.yaml
Recipe = dict[str, Any]  # dotted keys of params.yaml -> other values


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check `path`.

    Raises UserError, one line that names the key, its value and what was expected.
    """
    return check_params(read_yaml(path), str(path))


def read_yaml(path: Path, kind: str = "safe") -> Any:
    """Read `path` without checking its values; `kind` "rt" (round trip) keeps the comments.

    Raises UserError, one line, when the file is missing or not valid YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return copy.deepcopy(_values(text)) if kind == "safe" else _yaml(kind).load(text)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; run this in the project's folder") from error
    except (YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        text = f"line {mark.line + 1}: {getattr(error, 'problem', '')}" if mark else str(error)
        is_conflict = path.is_file() and b"<<<<<<< " in path.read_bytes()
        advice = atomic_files.MERGE_CONFLICT if is_conflict else "fix it"
        raise UserError(f"{path} is not valid YAML: {' '.join(text.split())}; {advice}") from error


def parse_yaml(text: str) -> Any:
    """Return the values in `text`; None when it is empty or not valid YAML."""
    try:
        return _yaml("safe").load(text)
    except YAMLError:
        return None


@functools.lru_cache(maxsize=8)
def _values(text: str) -> Any:
    """Return the values in `text`, which takes 0.1 s for params.yaml; do not change them."""
    return _yaml("safe").load(text)


def _yaml(kind: str) -> YAML:
    yaml = YAML(typ=kind, pure=True)
    yaml.width = sys.maxsize  # no line is broken
    yaml.preserve_quotes = True
    return yaml


def write_values(path: Path, changes: Mapping[str, Any]) -> None:
    """Change the values of dotted keys in `path`; its comments and its order stay.

    A key may lead into a recipe or into `tune.space`. Raises UserError, and changes nothing, for
    a key that does not exist or a value that is not allowed.
    """
    check_params(read_yaml(path), str(path))
    document = read_yaml(path, "rt")
    for key, value in changes.items():
        parent, name = _parent(document, key)
        if not isinstance(parent, dict) or name not in parent:
            raise UserError(f"{path}: {key} is not a known key; correct its spelling")
        if isinstance(value, list):
            parent[name][:] = value  # in the layout of the list before
        elif parent[name] != value or type(parent[name]) is not type(value):
            parent[name] = value
            _align_comment(parent, name)
    text = io.StringIO()
    _yaml("rt").dump(document, text)
    check_params(parse_yaml(text.getvalue()), str(path))
    atomic_files.write_bytes(path, text.getvalue().encode())


def read_values(path: Path, keys: Iterable[str]) -> dict[str, Any]:
    """Return the values of those dotted `keys` that `path` has."""
    document = read_yaml(path)
    found = {key: _parent(document, key) for key in keys}
    return {key: of[name] for key, (of, name) in found.items() if of and name in of}


def _align_comment(parent: Any, name: str) -> None:
    """Put the comment of a changed value back into its column, which a longer value has left."""
    tokens = parent.ca.items.get(name)
    if tokens and tokens[2] and tokens[2].start_mark.column > COMMENT_COLUMN:
        tokens[2].start_mark = CommentMark(COMMENT_COLUMN)


def _parent(values: Any, key: str) -> tuple[Any, str]:
    """Find the mapping that holds a dotted key, None if there is none, and the key's last part.

    Keys of recipes and of `tune.space` have dots of their own.
    """
    if not isinstance(values, dict) or key in values or "." not in key:
        return (values if isinstance(values, dict) else None), key
    parts = key.split(".")
    heads = [".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]
    head = next((head for head in heads if head in values), heads[-1])
    return _parent(values.get(head), key[len(head) + 1 :])


def format_value(value: Any) -> str:
    """Format `value` without blanks, as both YAML 1.2 and `dvc exp run -S` read it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).strip('"')


def override_words(changes: Mapping[str, Any]) -> list[str]:
    """Format `changes` as the values of `dvc exp run -S`, one word per key."""
    return [f"{key}={format_value(value)}" for key, value in changes.items()]


def check_params(values: object, source: str) -> Params:
    """Turn plain values into Params. Raises UserError, a message that begins with `source`."""
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{source}: {_describe_all(error.errors(), values)}") from error
    recipes = {name: _with_base(source, params.recipes, name) for name in params.recipes}
    for name, changes in recipes.items():
        with_changes(params, changes, f"{source}: recipes.{name}")
    return params.model_copy(update={"recipes": recipes})


def _with_base(source: str, recipes: Mapping[str, Recipe], name: str, *above: str) -> Recipe:
    """Return a recipe with all values of its `base`, another recipe, that it does not change.

    `above` are the recipes that are built on it. Raises UserError for a base that does not exist
    or that is built on the recipe itself.
    """
    own = {key: value for key, value in recipes[name].items() if key != "base"}
    if "base" not in recipes[name]:
        return own
    base = str(recipes[name]["base"])
    if base not in recipes.keys() - {name, *above}:
        others = ", ".join(other for other in recipes if other not in {name, *above})
        problem = f"recipes.{name}.base is {base!r}; expected another recipe"
        raise UserError(f"{source}: {problem} ({others})")
    return _with_base(source, recipes, base, name, *above) | own


def with_changes(params: Params, changes: Mapping[str, Any], source: str) -> Params:
    """Return `params` with other values at the dotted keys of `changes`, such as train.seed.

    Raises UserError, a message that begins with `source`, for an unknown key or a wrong value.
    """
    plain = params.model_dump(mode="json", by_alias=True, exclude={"recipes"})
    for key, value in changes.items():
        parent, name = _parent(plain, key)
        if not isinstance(parent, dict) or name not in parent:
            raise UserError(f"{source}: {key} is not a known key; correct its spelling")
        parent[name] = value
    checked = check_params({**plain, "recipes": {}}, source)
    return checked.model_copy(update={"recipes": params.recipes})


def with_recipe(params: Params, name: str) -> Params:
    """Return `params` with the changes of recipe `name`. Raises UserError for an unknown name."""
    if name not in params.recipes:
        raise UserError(f"params.yaml has no recipe {name!r}; it has {', '.join(params.recipes)}")
    return with_changes(params, params.recipes[name], name)


def _describe_all(errors: Iterable[ErrorDetails], values: object) -> str:
    """Describe what pydantic found; a list is left out if one of its entries is wrong."""
    problems: dict[str, list[ErrorDetails]] = {}
    for error in errors:
        problems.setdefault(_key_of(error, values), []).append(error)
    inner = [k for k in problems if not any(other.startswith(f"{k}.") for other in problems)]
    return "; ".join(_describe(key or "the file", problems[key]) for key in inner)


def _key_of(error: ErrorDetails, values: Any) -> str:
    """Return the dotted key, without pydantic's names of the types that it tried."""
    key: list[str] = []
    for part in error["loc"]:
        is_here = isinstance(values, dict) and part in values
        if is_here or (isinstance(values, list) and part in range(len(values))):
            values = values[part]
            key.append(str(part))
    missing = [str(error["loc"][-1])] if error["type"] == "missing" else []
    return ".".join(key + missing)


def _describe(key: str, errors: list[ErrorDetails]) -> str:
    """Describe what is wrong with one key: its value, and each kind of value that is expected."""
    kind, value = errors[0]["type"], errors[0]["input"]
    if kind == "missing":
        return f"{key} is missing; add it (git diff params.yaml shows what changed)"
    if kind == "extra_forbidden":
        return f"{key} is not a known key; remove it or correct its spelling"
    first, *others = (describe_expected(error["msg"]) for error in errors)
    expected = " or ".join([first, *(words.removeprefix("it should ") for words in others)])
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    shown = repr(value) if is_plain else json.dumps(value, default=str)
    return f"{key} is {'empty' if value is None else shown[:200]}; {expected}"
