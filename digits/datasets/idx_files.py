"""TODO"""

from pathlib import Path

import numpy as np

from digits.datasets.split_files import LabelledImages
from digits.project.errors import UserError


def read_mnist(raw: Path, *, train: bool) -> LabelledImages:
    """MNIST's 60,000 training pictures or its 10,000 test pictures, whose files `download` checked.

    numpy reads them in place of torchvision, whose import takes longer than the whole stage.
    Raises UserError when a file is missing or of another length.
    """
    name, n = ("train", 60_000) if train else ("t10k", 10_000)
    folder = raw / "MNIST/raw"
    try:  # a header of four bytes for each word: magic number and sizes
        images = np.fromfile(folder / f"{name}-images-idx3-ubyte", np.uint8, offset=16)
        labels = np.fromfile(folder / f"{name}-labels-idx1-ubyte", np.uint8, offset=8)
        return LabelledImages(images.reshape(n, 28, 28), labels.reshape(n).astype(np.int64))
    except (OSError, ValueError) as error:
        advice = "`dvc repro -f download` gets the one or names the other"
        raise UserError(f"{raw}: a file of MNIST is missing or damaged; {advice}") from error
