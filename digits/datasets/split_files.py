"""Save and load labelled images: a split is one file on disk, and two arrays in memory.

The file is an uncompressed .npz. Its bytes depend on the images and labels alone, so DVC sees an
equal split as the same file. Neither torch nor pickle is used. How MNIST is divided into splits
is in `stratified_split`.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits.preprocessing.image_format import MNIST, ImageFormat
from digits.project.atomic_files import atomic_file
from digits.project.errors import UserError

SIDE = 28  # pixels, of an image
CLASSES = [str(digit) for digit in range(10)]  # the name of each label
_ADVICE = "make it again with `dvc repro split`"


@dataclass(frozen=True)
class LabelledImages:
    """`images` (n, *format.shape) uint8; `labels` (n,) int64, indices of `classes`.

    Where `classes` and `format` are left out, they are MNIST's.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...] = tuple(CLASSES)
    format: ImageFormat = MNIST

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)


def save(data: LabelledImages, path: Path) -> None:
    """Write `data` to `path`, complete or not at all; equal arrays give equal bytes.

    Raises UserError when the arrays have another shape or type than LabelledImages describes.
    """
    labels = data.labels.astype(np.uint8)
    _check(data.images, labels, path)
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.savez(file, images=data.images, labels=labels)  # numpy dates all members 1980


def load(path: Path) -> LabelledImages:
    """Read a file that `save` wrote.

    Raises UserError, one sentence, when the file is missing or damaged, or when its arrays have
    another shape or type.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; {_ADVICE}") from error
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is no readable split ({reason}); {_ADVICE}") from error
    _check(images, labels, path)
    return LabelledImages(images, labels.astype(np.int64))


def _check(images: NDArray[np.uint8], labels: NDArray[np.uint8], path: Path) -> None:
    """Raise UserError unless the arrays have the stored shapes and types of one split."""
    expected = ((len(labels) if labels.ndim == 1 else -1, SIDE, SIDE), np.dtype(np.uint8))
    if (images.shape, images.dtype) != expected or labels.dtype != np.uint8:
        arrays = f"{images.dtype}{images.shape} images and {labels.dtype}{labels.shape} labels"
        instead = f"instead of uint8(n, {SIDE}, {SIDE}) images and uint8(n,) labels"
        raise UserError(f"{path} holds {arrays} {instead}; {_ADVICE}")
