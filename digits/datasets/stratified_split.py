"""Divide the images of a source into training, validation and test images.

Each class keeps its share, and the images of a group stay together. The parts that the source
itself names stay as they are. The files of the splits are in `split_files`.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from digits.datasets.image_source import SourceImages
from digits.project.errors import UserError
from digits.project.params_schema import SplitParams

NAMES = ("train", "validation", "test")
FOLDS = 10  # of groups, for a share that is not one part of several equal ones
Indices = NDArray[np.int64]


def divide(source: SourceImages, test: float | str, params: SplitParams) -> dict[str, Indices]:
    """Return the indices of the images of each split, sorted, by NAMES.

    `test` is a share of all images, or a text if the source says which images are for the test.
    Raises UserError, one line, when a class or a group cannot be divided so.
    """
    _check_classes(source)
    every = np.arange(len(source.labels))
    if isinstance(test, float):
        rest, tested = _take(source, every, test, params.seed, "data.test")
        trained, validated = _take(
            source, rest, params.validation_share, params.seed, "split.validation_share"
        )
    else:
        parts = {name: every[source.parts == name] for name in NAMES}
        rest, tested, validated = every[source.parts == ""], parts["test"], parts["validation"]
        trained = np.sort(np.concatenate([rest, parts["train"]]))
        if not len(tested):
            missing = f"data.test is {test}, and the source names no test images"
            raise UserError(f"{missing}; set data.test to a share such as 0.2")
        if not len(validated):
            share = params.validation_share
            trained, validated = _take(
                source, trained, share, params.seed, "split.validation_share"
            )
    indices = dict(zip(NAMES, (trained, validated, tested), strict=True))
    check_splits(source, indices, test)
    return indices


def _check_classes(source: SourceImages) -> None:
    """Raise UserError unless there are two classes."""
    if len(source.classes) < 2:
        found = f"one class ({source.classes[0]})" if source.classes else "no image"
        raise UserError(f"the source has {found}; expected images of two classes or more")


def _take(
    source: SourceImages, indices: Indices, share: float, seed: int, key: str
) -> tuple[Indices, Indices]:
    """Divide `indices` into the rest and `share` of each class; `key` of params.yaml gives it."""
    labels, groups = source.labels[indices], source.groups[indices]
    _check_counts(source, indices, share, key)
    if groups.astype(bool).any():
        taken = _take_groups(labels, groups, share, seed)
        rest, part = indices[~taken], indices[taken]
    else:
        try:
            parts = train_test_split(indices, test_size=share, random_state=seed, stratify=labels)
        except ValueError as error:
            raise UserError(f"{key} is {share}: {error}") from error
        rest, part = parts
    return np.sort(rest), np.sort(part)


def _check_counts(source: SourceImages, indices: Indices, share: float, key: str) -> None:
    """Raise UserError for the class that has too few images, or groups, to be divided."""
    has_groups = source.groups[indices].astype(bool).any()
    of = source.groups if has_groups else np.arange(len(source.labels))
    kinds = Counter(
        label for label, _ in set(zip(source.labels[indices], of[indices], strict=True))
    )
    smallest = min(range(len(source.classes)), key=lambda label: kinds[label])
    if not kinds[smallest]:
        found = f"class {source.classes[smallest]} has images in the test or validation alone"
        raise UserError(f"{found}; add training images of it, or remove it")
    if kinds[smallest] < 2:
        unit = "groups" if has_groups else "images"
        found = f"class {source.classes[smallest]} has too few {unit} for three splits"
        raise UserError(
            f"{found}: {kinds[smallest]} to divide by {key} {share}; add some, or remove it"
        )


def _take_groups(
    labels: NDArray[np.int64], groups: NDArray[np.str_], share: float, seed: int
) -> NDArray[np.bool_]:
    """Mark whole groups with about `share` of the images of each class.

    StratifiedGroupKFold, unlike GroupShuffleSplit, keeps the shares of the classes.
    """
    named = np.where(groups == "", np.char.add("\0", np.arange(len(groups)).astype(str)), groups)
    is_fraction = abs(1 / share - round(1 / share)) < 0.01  # one fold of 1 / share
    fold_count = round(1 / share) if is_fraction else FOLDS
    fold_count = min(fold_count, len(set(named)), int(np.bincount(labels).max()))
    folds = StratifiedGroupKFold(fold_count, shuffle=True, random_state=seed)
    parts = [part for _, part in folds.split(labels, labels, named)]
    taken = np.zeros(len(labels), bool)
    taken[np.concatenate(parts[: max(1, round(share * fold_count))])] = True
    return taken


def class_counts(source: SourceImages, indices: dict[str, Indices]) -> dict[str, Indices]:
    """Return the number of images of each class in each split."""
    n = len(source.classes)
    return {name: np.bincount(source.labels[part], minlength=n) for name, part in indices.items()}


def check_splits(source: SourceImages, indices: dict[str, Indices], test: float | str) -> None:
    """Raise UserError, one line, unless each split has images of each class and whole groups.

    Validation and test images that the source itself names may lack a class.
    """
    named = set() if isinstance(test, float) else {*source.parts.tolist()} - {"train"}
    counts = class_counts(source, indices)
    for name in (n for n in indices if n not in named or not len(indices[n])):
        for label in np.flatnonzero(counts[name] == 0):
            found = ", ".join(f"{of[label]:,} in {other}" for other, of in counts.items())
            advice = "add images or groups of it, change data.test or split.validation_share"
            missing = f"class {source.classes[label]} has no image in {name}"
            raise UserError(f"{missing} ({found}); {advice}")
    owners: dict[str, str] = {}
    for name, part in indices.items():
        for group in set(source.groups[part].tolist()) - {""}:
            if owners.setdefault(group, name) != name:
                found = f"group {group} has images in {owners[group]} and in {name}"
                raise UserError(f"{found}; put them into one, or set data.group to none")
