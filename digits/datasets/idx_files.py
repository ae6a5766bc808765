"""Read MNIST's original files, which are in IDX format. Downloading them is in `mnist_source`."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits.datasets.split_files import LabelledImages
from digits.project.errors import UserError


def read_mnist(raw: Path, *, train: bool) -> LabelledImages:
    """Read MNIST's 60,000 training images or its 10,000 test images from `raw`/MNIST/raw.

    Only the files' lengths are checked here; `mnist_source` checks their SHA-256. numpy reads
    them, because torchvision would import torch. Raises UserError when a file is missing or has
    another length.
    """
    name, n = ("train", 60_000) if train else ("t10k", 10_000)
    folder = raw / "MNIST/raw"
    try:  # the header has four bytes for each of: magic number, number of items, rows, columns
        images = np.fromfile(folder / f"{name}-images-idx3-ubyte", np.uint8, offset=16)
        labels = np.fromfile(folder / f"{name}-labels-idx1-ubyte", np.uint8, offset=8)
        return LabelledImages(images.reshape(n, 28, 28), labels.reshape(n).astype(np.int64))
    except (OSError, ValueError) as error:
        advice = "`dvc repro -f download` gets a missing file and names a damaged one"
        raise UserError(f"{raw}: a file of MNIST is missing or damaged; {advice}") from error


def read_parts(raw: Path) -> dict[str, tuple[NDArray[np.uint8], list[str]]]:
    """Read both parts of MNIST by the names train and test: images, and the class of each."""
    parts = {"train": read_mnist(raw, train=True), "test": read_mnist(raw, train=False)}
    return {name: (part.images, list(map(str, part.labels))) for name, part in parts.items()}
