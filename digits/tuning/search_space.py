"""The search space: which values of params.yaml are searched, and in which ranges.

A setting maps dotted keys of params.yaml to values; a trial trains with it. The parameters
that Optuna draws differ from it: a list is drawn as its length and its entries, and drawn
numbers are rounded so that a person can read and copy them. The study is in `study`.
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
SIGNIFICANT_DIGITS = 3  # of a drawn number
SECTIONS = ("model", "augment", "train")  # they decide the result of a training
# A seed has no better value, only a luckier one; the others say where to train, not how.
FIXED = ("train.seed", "train.threads", "train.device")


def training_values(values: Params) -> dict[str, Any]:
    """The sections that decide the result of a training, as YAML would give them."""
    return values.model_dump(mode="json", include=set(SECTIONS))


class SearchSpace:
    """The searched keys of `values` with their ranges, and their current values."""

    def __init__(self, values: Params) -> None:
        """Raises UserError, one line, when a value of the space is not allowed."""
        self.values, self.tune = values, values.tune
        self.searches = self.tune.space
        for key, search in self.searches.items():
            if key.split(".")[0] not in SECTIONS or key in FIXED:
                allowed = f"values of {', '.join(SECTIONS)} other than {', '.join(FIXED)}"
                raise UserError(f"tune.space has {key}; only {allowed} can be searched; remove it")
            for extreme in _extremes(search):
                params_file.with_changes(values, {key: extreme}, "tune.space")
        plain = training_values(values)
        self.current = {key: reduce(getitem, key.split("."), plain) for key in self.searches}

    def draw(self, trial: BaseTrial) -> Setting:
        """Draw the setting of `trial`. Optuna's names for a list's parts begin with its key."""
        whole = {key: isinstance(value, int) for key, value in self.current.items()}
        return {k: _draw(trial, k, search, whole=whole[k]) for k, search in self.searches.items()}

    def to_optuna(self, setting: Setting) -> dict[str, Any]:
        """The parameters that Optuna draws for `setting`; UserError for one outside the space."""
        params: dict[str, Any] = {}
        for key, search in self.searches.items():
            value = setting[key]
            if not _contains(search, value):
                text = f"params.yaml has {key} {json.dumps(value)}, which tune.space does not allow"
                raise UserError(f"{text}; widen the space, because the search begins there")
            if isinstance(search, SearchLayers):
                # Optuna draws the entries beyond the list's end too; they have no effect.
                entries = [*value, *[value[-1]] * (search.count[1] - len(value))]
                params[f"{key}.count"] = len(value)
                params |= {f"{key}.{i}": _to_storable(entry) for i, entry in enumerate(entries, 1)}
            else:
                params[key] = _to_storable(value)
        return params


def short_name(name: str) -> str:
    """The name of a parameter without its sections; a list's part keeps the list's name."""
    *_, last = parts = name.split(".")
    return ".".join(parts[-2:]) if last.isdigit() or last == "count" else last


def _extremes(search: Search) -> Iterator[Any]:
    """Yield values of `search`; if the schema allows each of them, it allows every value."""
    if isinstance(search, SearchChoices):
        yield from search.choices
    elif isinstance(search, SearchRange):
        yield from (search.low, search.high)
    else:
        yield from ([size] * count for count in search.count for size in _extremes(search.size))


def _to_storable(value: Any) -> Any:
    """Turn a list into JSON, since Optuna stores no lists; other values stay."""
    return json.dumps(value) if isinstance(value, list) else value


def _draw(trial: BaseTrial, key: str, search: Search, *, whole: bool) -> Any:
    """Draw a value of `search`; `whole` asks for whole numbers from a range."""
    if isinstance(search, SearchLayers):
        count = trial.suggest_int(f"{key}.count", *search.count)
        # As many as there can be: Optuna learns most from parameters that every trial has.
        names = [f"{key}.{i}" for i in range(1, search.count[1] + 1)]
        return [_draw(trial, name, search.size, whole=True) for name in names][:count]
    if isinstance(search, SearchChoices):
        value = trial.suggest_categorical(key, [_to_storable(choice) for choice in search.choices])
        return next(choice for choice in search.choices if _to_storable(choice) == value)
    if whole:
        return trial.suggest_int(key, int(search.low), int(search.high), log=search.log)
    value = trial.suggest_float(key, search.low, search.high, log=search.log)
    rounded = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    return min(max(rounded, float(search.low)), float(search.high))


def _contains(search: Search, value: Any) -> bool:
    """Whether `search` can draw `value`."""
    if isinstance(search, SearchChoices):
        return value in search.choices
    if isinstance(search, SearchRange):
        return bool(search.low <= value <= search.high)
    few, many = search.count
    return few <= len(value) <= many and all(_contains(search.size, entry) for entry in value)
