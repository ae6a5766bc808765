"""The study: what it maximises, how it prunes, and whether it is still the same search."""

from collections.abc import Mapping

import optuna
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from stages.lib import schema
from stages.lib.errors import UserError
from stages.lib.tracking import lineage
from stages.tuning.space import SECTIONS, Space, plain

METRIC = "validation_accuracy"  # of the epoch whose weights are kept, as in `train`
MAXIMIZE = StudyDirection.MAXIMIZE
RECIPE = "recipe"
# Asynchronous successive halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter
# Tuning"): at FIRST of all epochs, and each time that REDUCTION times as many are done, a trial
# goes on if it is among the best 1/REDUCTION of all that came as far. To compare with finished
# trials alone, as a percentile does, took 53 % of the time of training each to the end with the
# upper half, and let hardly any through with the upper quarter.
FIRST, REDUCTION = 0.15, 3


def confirmation(name: str) -> str:
    """The study of the finalists on other seeds; no person can give a study this name."""
    return f"{name}:confirm"


def recipe(space: Space, inputs: Mapping[str, str]) -> dict[str, str]:
    """What makes two studies comparable, as dotted keys: the search and all it leaves alone."""
    values = {name: plain(space.values)[name] for name in SECTIONS}
    kind = values["model"]["kind"]
    if "model.kind" not in space.searches:
        values["model"] = {k: v for k, v in values["model"].items() if k not in {"mlp", "cnn"}}
        values["model"][kind] = plain(space.values)["model"][kind]
    fixed = lineage.flatten(values)
    for key in (*space.searches, "train.threads", "train.device"):
        fixed.pop(key, None)
    about = {"metric": METRIC, "tune.space": space.described(), **inputs}
    return fixed | lineage.flatten(about)


def open_study(storage: RDBStorage, name: str, wanted: dict[str, str]) -> optuna.Study:
    """The study `name`, made when there is none; the caller has its turn.

    Raises UserError when there is one of another search, which is left as it is.
    """
    try:
        found = optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        found = optuna.create_study(storage=storage, study_name=name, direction=MAXIMIZE)
    fresh = not found.trials and not found.user_attrs and found.direction is MAXIMIZE
    if fresh:
        found.set_user_attr(RECIPE, wanted)
    _compare(found, wanted)
    return found


def _compare(found: optuna.Study, wanted: dict[str, str]) -> None:
    other = "give tune.study another name for another search"
    if found.direction is not MAXIMIZE or RECIPE not in found.user_attrs:
        raise UserError(f"study {found.study_name} was not made by this command; {other}")
    known: dict[str, str] = found.user_attrs[RECIPE]
    for key in sorted(known.keys() | wanted.keys()):
        was, now = (values.get(key, "absent") for values in (known, wanted))
        if was != now:
            told = f"study {found.study_name} was begun with {key} {was}, now it is {now}"
            raise UserError(f"{told}; {other}, or set it back")


def load(storage: RDBStorage, name: str, values: schema.Params) -> optuna.Study:
    """An existing study, for a worker."""
    final = name == confirmation(values.tune.study)
    chosen = NopPruner() if final else pruner(values.tune, values.train.epochs)
    return optuna.load_study(study_name=name, storage=storage, pruner=chosen)


def pruner(tune: schema.Tune, epochs: int) -> BasePruner:
    """What ends trials early, for trainings of `epochs` epochs."""
    if tune.pruner == "none":
        return NopPruner()
    first = max(1, round(FIRST * epochs))
    return SuccessiveHalvingPruner(min_resource=first, reduction_factor=REDUCTION)
