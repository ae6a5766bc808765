"""Divide MNIST's training images into training and validation, and check all three splits.

The official 10,000 test images stay the test split; only `evaluate` reads them. The files of the
splits are in `split_files`.
"""

import itertools
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from digits.datasets import split_files
from digits.datasets.idx_files import read_mnist
from digits.datasets.split_files import CLASSES, LabelledImages
from digits.project import atomic_files
from digits.project.errors import UserError
from digits.project.params_schema import SplitParams

Splits = dict[str, LabelledImages]  # by the names train, validation, test


def split_mnist(params: SplitParams, raw: Path, paths: dict[str, Path], report: Path) -> None:
    """Write the splits to `paths`, one for each name, and the counts of the check to `report`.

    The training images are divided so that each class keeps its share. Raises UserError when a
    file of MNIST is missing or damaged, or when the check finds an error.
    """
    official = read_mnist(raw, train=True)
    splits = stratified_split(official, params.validation_share, params.seed)
    splits["test"] = read_mnist(raw, train=False)
    counts = check_splits(official, splits)
    for name, path in paths.items():
        split_files.save(splits[name], path)
        print(f"{name:10} {len(splits[name]):6,} images  {path}")
    print(f"images that are in two splits, as in the official data: {counts['shared']}")
    atomic_files.write_json(report, counts)


def stratified_split(official: LabelledImages, share: float, seed: int) -> Splits:
    """Divide images into "train" and "validation", `share` of each class for validation.

    Raises UserError when that leaves a class without an image in one of the two.
    """
    order, labels = np.arange(len(official)), official.labels
    try:
        parts = train_test_split(order, test_size=share, random_state=seed, stratify=labels)
    except ValueError as error:
        raise UserError(f"split.validation_share is {share}: {error}") from error
    indices = dict(zip(("train", "validation"), map(np.sort, parts), strict=True))
    return {name: LabelledImages(official.images[i], labels[i]) for name, i in indices.items()}


def check_splits(official: LabelledImages, splits: Splits) -> dict[str, object]:
    """Count the images of each split and class, and the images that two splits share.

    Raises UserError, one sentence, when a split is malformed or lacks a class, or when training
    and validation together are not exactly the official images.
    """
    for name, split in splits.items():
        _check_split(name, split)
    rows = {name: _rows(split) for name, split in splits.items()}
    together = np.sort(np.concatenate([rows["train"], rows["validation"]]))
    if not np.array_equal(together, np.sort(_rows(official))):
        raise UserError("training and validation images are not the official ones, once each")
    return {
        "pictures": {name: len(split) for name, split in splits.items()},
        "classes": {name: np.bincount(s.labels).tolist() for name, s in splits.items()},
        "shared": _shared(rows),
    }


def _check_split(name: str, split: LabelledImages) -> None:
    """Check the pixels and classes of one split; `split_files.save` checks its shape."""
    low, high = split.images.min(), split.images.max()
    if (low, high) != (0, 255):
        raise UserError(f"{name}: pixels range from {low} to {high}, expected 0 to 255")
    labels = np.unique(split.labels).tolist()
    if labels != list(range(len(CLASSES))):
        raise UserError(f"{name}: only images of {labels}; change split.validation_share")


def _rows(split: LabelledImages) -> np.ndarray:
    """View each image as one value that compares by its bytes, shape (n,)."""
    flat = np.ascontiguousarray(split.images.reshape(len(split.images), -1))
    return flat.view(f"V{flat.shape[1]}").ravel()


def _shared(rows: dict[str, np.ndarray]) -> dict[str, int]:
    """Count the different images that are in both of two splits, for each pair of splits."""
    pairs = itertools.combinations(sorted(rows), 2)
    return {f"{a} and {b}": len(np.intersect1d(rows[a], rows[b])) for a, b in pairs}
