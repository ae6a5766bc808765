"""Sentences about a study for people: notes in Optuna Dashboard, and lines of `digits tune`."""

import optuna

from digits.tuning import study
from digits.tuning.search_space import SearchSpace

SEARCH_NOTE = """\
Search for better values of `params.yaml`. Each trial trains a network for {epochs} epochs with
other values of {keys}. Its value is the accuracy on the validation images, to be **maximized**.

- The trial with the attribute `current` has the values of `params.yaml`.
- A pruned trial was stopped early, because it fell behind.
- `outcome` says how a trial ended; `loss` is its cross-entropy on the validation images.
- The best trials are trained again with other seeds in the study `{confirmation}`. That comparison
  decides which values are better, not the list of best trials here.
- The test images are not used.
"""
CONFIRMATION_NOTE = """\
Comparison of the best {finalists} trials of the study `{name}` with the values of `params.yaml`.
Nothing is searched here: each of them is trained with seed {seeds}. The values with the highest
mean accuracy win. The best of many trials is partly the luckiest one, so its own accuracy is too
high. `digits tune` prints the comparison at its end, with intervals and p-values.
"""
RUN_NOTE = "\nRun in MLflow: [{page}]({page}) (`digits ui` serves it)\n"


def write_notes(
    searched: optuna.Study, confirmation: optuna.Study, space: SearchSpace, page: str | None
) -> None:
    """Describe both studies in Optuna Dashboard, unless somebody has written there.

    `page` is the address of the search's run in MLflow.
    """
    from optuna_dashboard import get_note, save_note

    tune, seed = space.tune, space.values.train.seed
    notes = {
        searched: SEARCH_NOTE.format(
            epochs=space.values.train.epochs,
            keys=", ".join(f"`{key}`" for key in space.searches),
            confirmation=confirmation.study_name,
        ),
        confirmation: CONFIRMATION_NOTE.format(
            finalists=tune.finalists,
            name=searched.study_name,
            seeds=" and ".join(map(str, range(seed + 1, seed + 1 + tune.confirm))),
        ),
    }
    for owner, note in notes.items():
        if not get_note(owner):
            save_note(owner, note + (RUN_NOTE.format(page=page) if page else ""))


def introduce(searched: optuna.Study, goal: int) -> str:
    """Say which study is begun or continued; a new one beside others may be a misspelt name."""
    name, done = searched.study_name, study.count_done(searched)
    if study.all_trials(searched):
        return f"study {name} continues: {done} of {goal} trials are done"
    others = [other for other in study_names(searched._storage) if other != name]
    return f"study {name} is new; {goal} trials" + _listed("; the storage also has ", others)


def unknown_study(name: str, storage: optuna.storages.BaseStorage) -> str:
    """Say that `storage` has no study `name`, and which it has."""
    known = _listed("; it has ", study_names(storage)) or "; `digits tune` begins one"
    return f"has no study {name}{known}"


def study_names(storage: optuna.storages.BaseStorage) -> list[str]:
    """The names of all searches in `storage`, without the studies that confirm their results."""
    names, suffix = optuna.get_all_study_names(storage), study.confirmation_name("")
    return sorted(name for name in names if not name.endswith(suffix))


def _listed(words: str, names: list[str]) -> str:
    return words + ", ".join(names) if names else ""
