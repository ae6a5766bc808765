"""Divide the official training pictures into training and validation, and check all data.

    python -m stages.split

The official 10,000 test pictures stay the test split; only `evaluate` reads them.
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


def split_mnist(
    split: SplitParams,
    raw: Path,
    *,
    training: Path,
    validation: Path,
    test: Path,
    report: Path,
) -> None:
    """Write the three splits, stratified by class, and what the data check counted.

    Raises UserError when a file is not what MNIST's makers published, or when the check
    finds the splits unfit.
    """
    official = read_mnist(raw, train=True)
    parts = stratified_split(official, split.validation_share, split.seed)
    parts["test"] = read_mnist(raw, train=False)
    counts = check_splits(official, parts)
    for name, path in (("train", training), ("validation", validation), ("test", test)):
        split_files.save(parts[name], path)
        print(f"{name:10} {len(parts[name].labels):6,} pictures  {path}")
    print(f"pictures that stand in two splits, as in the official data: {counts['shared']}")
    atomic_files.write_json(report, counts)


def stratified_split(
    pictures: LabelledImages, share: float, seed: int
) -> dict[str, LabelledImages]:
    """Split off a `share` for validation so that each class keeps its proportion.

    Raises UserError when that leaves a class without a picture on either side.
    """
    everything = np.arange(len(pictures.labels))
    try:
        chosen = train_test_split(
            everything, test_size=share, random_state=seed, stratify=pictures.labels
        )
    except ValueError as error:
        raise UserError(f"split.validation_share is {share}: {error}") from error
    indices = dict(zip(("train", "validation"), map(np.sort, chosen), strict=True))
    return {n: LabelledImages(pictures.images[i], pictures.labels[i]) for n, i in indices.items()}


def check_splits(official: LabelledImages, parts: dict[str, LabelledImages]) -> dict[str, object]:
    """Count what a person would want to know of the splits.

    Raises UserError, one sentence, when a split is malformed, when a class is missing from
    one, or when training and validation together are not exactly the official pictures.
    """
    for name, part in parts.items():
        _check_part(name, part)
    rows = {name: _rows(part) for name, part in parts.items()}
    together = np.sort(np.concatenate([rows["train"], rows["validation"]]))
    if not np.array_equal(together, np.sort(_rows(official))):
        raise UserError("training and validation pictures are not the official ones, once each")
    return {
        "pictures": {name: len(part.labels) for name, part in parts.items()},
        "classes": {
            n: np.bincount(p.labels, minlength=len(CLASSES)).tolist() for n, p in parts.items()
        },
        "shared": _shared(rows),
    }


def _check_part(name: str, part: LabelledImages) -> None:
    """Range and classes of one split; `dataset.save` checks its shape."""
    low, high = part.images.min(), part.images.max()
    if (low, high) != (0, 255):
        raise UserError(f"{name}: pixels range from {low} to {high}, expected 0 to 255")
    labels = np.unique(part.labels).tolist()
    if labels != list(range(len(CLASSES))):
        raise UserError(f"{name}: only pictures of {labels}; set split.validation_share otherwise")


def _rows(part: LabelledImages) -> np.ndarray:
    """Each picture as one value that compares by its bytes, shape (n,)."""
    flat = np.ascontiguousarray(part.images.reshape(len(part.images), -1))
    return flat.view(f"V{flat.shape[1]}").ravel()


def _shared(rows: dict[str, np.ndarray]) -> dict[str, int]:
    """How many different pictures stand in both of two splits."""
    pairs = itertools.combinations(sorted(rows), 2)
    return {f"{a} and {b}": len(np.intersect1d(rows[a], rows[b])) for a, b in pairs}
