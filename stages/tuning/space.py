"""The search space: which values of params.yaml are searched, and where.

A setting maps dotted keys of params.yaml to values and is what a trial trains with. What
Optuna draws is kept apart from it: a list is drawn as its length and its entries, and
numbers are rounded to what a person can read and copy.
"""

import json
from collections.abc import Iterator
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from stages.lib import params, schema
from stages.lib.errors import UserError
from stages.lib.schema import Choices, Layers, Range

Setting = dict[str, Any]
DIGITS = 3  # significant ones of a drawn number
SECTIONS = ("model", "augment", "train")  # what training depends on
# A seed has no better value, only a luckier one; the others say where to train, not how.
FIXED = ("train.seed", "train.threads", "train.device")


def plain(values: schema.Params) -> dict[str, Any]:
    """All values as YAML would give them."""
    return values.model_dump(mode="json", by_alias=True)


class Space:
    """The searched values of `values`, and what they are now."""

    def __init__(self, values: schema.Params) -> None:
        """Raises UserError, one line, when a value of the space is not allowed."""
        self.values = values
        self.searches = values.tune.space
        for key, search in self.searches.items():
            if key.split(".")[0] not in SECTIONS or key in FIXED:
                wanted = f"a value of {', '.join(SECTIONS)} other than {', '.join(FIXED)}"
                raise UserError(f"tune.space has {key}; {wanted} can be searched; remove it")
            for extreme in _extremes(search):
                params.changed(values, {key: extreme}, "tune.space")
        self.current = self.setting_of(values)

    def setting_of(self, values: schema.Params) -> Setting:
        """The searched keys as they are in `values`."""
        return {key: _value(plain(values), key) for key in self.searches}

    def described(self) -> dict[str, Any]:
        """What makes this space the same as another one."""
        return {key: search.model_dump(mode="json") for key, search in self.searches.items()}

    def distributions(self) -> dict[str, BaseDistribution]:
        """What Optuna draws from; the keys of a list's parts begin with the list's key."""
        found: dict[str, BaseDistribution] = {}
        for key, search in self.searches.items():
            if isinstance(search, Layers):
                found[f"{key}.count"] = IntDistribution(*search.count)
                entries = range(1, search.count[1] + 1)
                found |= {f"{key}.{i}": _distribution(search.size, whole=True) for i in entries}
            else:
                whole = isinstance(self.current[key], int)
                found[key] = _distribution(search, whole=whole)
        return found

    def setting(self, drawn: dict[str, Any]) -> Setting:
        """What a trial trains with, from what Optuna drew."""
        return {key: _setting(key, search, drawn) for key, search in self.searches.items()}

    def drawn(self, setting: Setting) -> dict[str, Any]:
        """What Optuna would have drawn for `setting`; UserError when it never would."""
        found: dict[str, Any] = {}
        for key, search in self.searches.items():
            value = setting[key]
            if not _contains(search, value):
                told = f"params.yaml has {key} {json.dumps(value)}, which tune.space leaves out"
                raise UserError(f"{told}; widen the space, because the search begins there")
            if isinstance(search, Layers):
                # Drawn as well, but of no effect: the entries beyond the list's end.
                entries = [*value, *[value[-1]] * (search.count[1] - len(value))]
                found[f"{key}.count"] = len(value)
                found |= {f"{key}.{i}": _text(entry) for i, entry in enumerate(entries, 1)}
            else:
                found[key] = _text(value)
        return found


def _value(values: dict[str, Any], key: str) -> Any:
    found: Any = values
    for part in key.split("."):
        found = found[part]
    return found


def _extremes(search: schema.Search) -> Iterator[Any]:
    """Values of which the schema must allow each."""
    if isinstance(search, Choices):
        yield from plain_choices(search)
    elif isinstance(search, Range):
        yield from (search.low, search.high)
    else:
        yield from ([size] * count for count in search.count for size in _extremes(search.size))


def plain_choices(search: Choices) -> list[Any]:
    """The choices as YAML gives them."""
    return list(search.model_dump(mode="json")["choices"])


def _distribution(search: Range | Choices, *, whole: bool) -> BaseDistribution:
    if isinstance(search, Choices):
        return CategoricalDistribution([_text(choice) for choice in plain_choices(search)])
    if whole:
        return IntDistribution(int(search.low), int(search.high), log=search.log)
    return FloatDistribution(search.low, search.high, log=search.log)


def _text(value: Any) -> Any:
    """A value as Optuna can store it: a list as JSON."""
    return json.dumps(value) if isinstance(value, list) else value


def _setting(key: str, search: schema.Search, drawn: dict[str, Any]) -> Any:
    if isinstance(search, Layers):
        count = drawn[f"{key}.count"]
        return [_setting(f"{key}.{i}", search.size, drawn) for i in range(1, count + 1)]
    value = drawn[key]
    if isinstance(search, Choices):
        return next(choice for choice in plain_choices(search) if _text(choice) == value)
    if isinstance(value, int):
        return value
    rounded = float(f"{value:.{DIGITS}g}")
    return min(max(rounded, float(search.low)), float(search.high))


def _contains(search: schema.Search, value: Any) -> bool:
    if isinstance(search, Choices):
        return value in plain_choices(search)
    if isinstance(search, Range):
        return bool(search.low <= value <= search.high)
    few, many = search.count
    return few <= len(value) <= many and all(_contains(search.size, entry) for entry in value)
