"""The search space: which values of params.yaml are searched, and where.

A setting maps dotted keys of params.yaml to values and is what a trial trains with. What
Optuna draws is kept apart from it: a list is drawn as its length and its entries, and
numbers are rounded to what a person can read and copy.
"""

import json
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from typing import Any

from optuna.trial import BaseTrial

from digits.project import params_file
from digits.project.errors import UserError
from digits.project.params_schema import Params, Search, SearchChoices, SearchLayers, SearchRange

Setting = dict[str, Any]
DIGITS = 3  # significant ones of a drawn number
SECTIONS = ("model", "augment", "train")  # what training depends on
# A seed has no better value, only a luckier one; the others say where to train, not how.
FIXED = ("train.seed", "train.threads", "train.device")


def plain_values(values: Params) -> dict[str, Any]:
    """All values as YAML would give them."""
    return values.model_dump(mode="json", by_alias=True)


class SearchSpace:
    """The searched values of `values`, and what they are now."""

    def __init__(self, values: Params) -> None:
        """Raises UserError, one line, when a value of the space is not allowed."""
        self.values = values
        self.searches = values.tune.space
        for key, search in self.searches.items():
            if key.split(".")[0] not in SECTIONS or key in FIXED:
                wanted = f"a value of {', '.join(SECTIONS)} other than {', '.join(FIXED)}"
                raise UserError(f"tune.space has {key}; {wanted} can be searched; remove it")
            for extreme in _extremes(search):
                params_file.with_changes(values, {key: extreme}, "tune.space")
        self.current = {
            key: reduce(getitem, key.split("."), plain_values(values)) for key in self.searches
        }

    def draw(self, trial: BaseTrial) -> Setting:
        """What `trial` trains with; the names of a list's parts begin with the list's key."""
        whole = {key: isinstance(value, int) for key, value in self.current.items()}
        return {k: _draw(trial, k, search, whole=whole[k]) for k, search in self.searches.items()}

    def to_optuna(self, setting: Setting) -> dict[str, Any]:
        """What Optuna would have drawn for `setting`; UserError when it never would."""
        found: dict[str, Any] = {}
        for key, search in self.searches.items():
            value = setting[key]
            if not _contains(search, value):
                told = f"params.yaml has {key} {json.dumps(value)}, which tune.space leaves out"
                raise UserError(f"{told}; widen the space, because the search begins there")
            if isinstance(search, SearchLayers):
                # Drawn as well, but of no effect: the entries beyond the list's end.
                entries = [*value, *[value[-1]] * (search.count[1] - len(value))]
                found[f"{key}.count"] = len(value)
                found |= {f"{key}.{i}": _text(entry) for i, entry in enumerate(entries, 1)}
            else:
                found[key] = _text(value)
        return found


def short_name(name: str) -> str:
    """A parameter without its sections; parts of a list keep the list's name."""
    *_, last = parts = name.split(".")
    return ".".join(parts[-2:]) if last.isdigit() or last == "count" else last


def _extremes(search: Search) -> Iterator[Any]:
    """Values of which the schema must allow each."""
    if isinstance(search, SearchChoices):
        yield from search.choices
    elif isinstance(search, SearchRange):
        yield from (search.low, search.high)
    else:
        yield from ([size] * count for count in search.count for size in _extremes(search.size))


def _text(value: Any) -> Any:
    """A value as Optuna can store it: a list as JSON."""
    return json.dumps(value) if isinstance(value, list) else value


def _draw(trial: BaseTrial, key: str, search: Search, *, whole: bool) -> Any:
    if isinstance(search, SearchLayers):
        count = trial.suggest_int(f"{key}.count", *search.count)
        # All that there may be, since Optuna learns most from what every trial has.
        names = [f"{key}.{i}" for i in range(1, search.count[1] + 1)]
        return [_draw(trial, name, search.size, whole=True) for name in names][:count]
    if isinstance(search, SearchChoices):
        value = trial.suggest_categorical(key, [_text(choice) for choice in search.choices])
        return next(choice for choice in search.choices if _text(choice) == value)
    if whole:
        return trial.suggest_int(key, int(search.low), int(search.high), log=search.log)
    drawn = trial.suggest_float(key, search.low, search.high, log=search.log)
    rounded = float(f"{drawn:.{DIGITS}g}")
    return min(max(rounded, float(search.low)), float(search.high))


def _contains(search: Search, value: Any) -> bool:
    if isinstance(search, SearchChoices):
        return value in search.choices
    if isinstance(search, SearchRange):
        return bool(search.low <= value <= search.high)
    few, many = search.count
    return few <= len(value) <= many and all(_contains(search.size, entry) for entry in value)
