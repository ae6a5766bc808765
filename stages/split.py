"""Divide the official training pictures into training and validation, and check all data.

    python -m stages.split

The official 10,000 test pictures stay the test split; only `evaluate` reads them.
"""

import itertools
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from stages.lib import dataset, files, schema, stage
from stages.lib.dataset import Pictures
from stages.lib.errors import UserError

CLASSES = 10


def split(
    split: schema.Split,
    raw: Path = Path("data/raw"),
    *,
    training: Path = Path("data/splits/train.npz"),
    validation: Path = Path("data/splits/validation.npz"),
    test: Path = Path("data/splits/test.npz"),
    report: Path = Path("metrics/split.json"),
) -> None:
    """Write the three splits, stratified by class, and what the data check counted.

    Raises UserError when a file is not what MNIST's makers published, or when the check
    finds the splits unfit.
    """
    official = read(raw, train=True)
    parts = divide(official, split.validation_share, split.seed)
    parts["test"] = read(raw, train=False)
    counts = check(official, parts)
    for name, path in (("train", training), ("validation", validation), ("test", test)):
        dataset.save(parts[name], path)
        print(f"{name:10} {len(parts[name].labels):6,} pictures  {path}")
    print(f"pictures that stand in two splits, as in the official data: {counts['shared']}")
    files.write_json(report, counts)


def read(raw: Path, *, train: bool) -> Pictures:
    """MNIST's 60,000 training pictures or its 10,000 test pictures, whose files `download` checked.

    numpy reads them in place of torchvision, whose import takes longer than the whole stage.
    Raises UserError when a file is missing or of another length.
    """
    name, n = ("train", 60_000) if train else ("t10k", 10_000)
    folder = raw / "MNIST/raw"
    try:  # a header of four bytes for each word: magic number and sizes
        images = np.fromfile(folder / f"{name}-images-idx3-ubyte", np.uint8, offset=16)
        labels = np.fromfile(folder / f"{name}-labels-idx1-ubyte", np.uint8, offset=8)
        return Pictures(images.reshape(n, 28, 28), labels.reshape(n).astype(np.int64))
    except (OSError, ValueError) as error:
        advice = "`dvc repro -f download` gets the one or names the other"
        raise UserError(f"{raw}: a file of MNIST is missing or damaged; {advice}") from error


def divide(pictures: Pictures, share: float, seed: int) -> dict[str, Pictures]:
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
    return {n: Pictures(pictures.images[i], pictures.labels[i]) for n, i in indices.items()}


def check(official: Pictures, parts: dict[str, Pictures]) -> dict[str, object]:
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
        "classes": {n: np.bincount(p.labels, minlength=CLASSES).tolist() for n, p in parts.items()},
        "shared": _shared(rows),
    }


def _check_part(name: str, part: Pictures) -> None:
    """Range and classes of one split; `dataset.save` checks its shape."""
    low, high = part.images.min(), part.images.max()
    if (low, high) != (0, 255):
        raise UserError(f"{name}: pixels range from {low} to {high}, expected 0 to 255")
    labels = np.unique(part.labels).tolist()
    if labels != list(range(CLASSES)):
        raise UserError(f"{name}: only pictures of {labels}; set split.validation_share otherwise")


def _rows(part: Pictures) -> np.ndarray:
    """Each picture as one value that compares by its bytes, shape (n,)."""
    flat = np.ascontiguousarray(part.images.reshape(len(part.images), -1))
    return flat.view(f"V{flat.shape[1]}").ravel()


def _shared(rows: dict[str, np.ndarray]) -> dict[str, int]:
    """How many different pictures stand in both of two splits."""
    pairs = itertools.combinations(sorted(rows), 2)
    return {f"{a} and {b}": len(np.intersect1d(rows[a], rows[b])) for a, b in pairs}


if __name__ == "__main__":
    stage.main(split)
