"""Labelled pictures: one split as one file on disk, and as two arrays in memory.

The file is an uncompressed .npz whose bytes depend on nothing but the pictures, so
that DVC sees the same split as the same file. Neither torch nor pickle is involved.
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits.project.atomic_files import write_bytes
from digits.project.errors import UserError

SIDE = 28
CLASSES = [str(digit) for digit in range(10)]  # names of the labels, in their order
_REMEDY = "make it again with `dvc repro split`"


@dataclass(frozen=True)
class LabelledImages:
    """`images` (n, 28, 28) uint8, 0 is background; `labels` (n,) int64, from 0."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.labels)


def save(pictures: LabelledImages, path: Path) -> None:
    """Write `pictures` to `path`, whole or not at all; equal pictures give equal bytes.

    Raises UserError when the arrays are not what Pictures promises.
    """
    stored = pictures.labels.astype(np.uint8)
    _check(pictures.images, stored, path)
    buffer = io.BytesIO()
    # numpy dates every member of the archive 1980, so no clock gets into the bytes.
    np.savez(buffer, images=pictures.images, labels=stored)
    write_bytes(path, buffer.getvalue())


def load(path: Path) -> LabelledImages:
    """Read what `save` wrote.

    Raises UserError, one sentence, when the file is missing, damaged or of another shape.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; {_REMEDY}") from error
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is no readable split ({reason}); {_REMEDY}") from error
    _check(images, labels, path)
    return LabelledImages(images, labels.astype(np.int64))


def _check(images: NDArray[np.uint8], labels: NDArray[np.uint8], path: Path) -> None:
    """Raise UserError unless the arrays are those of one split, as stored."""
    expected = ((len(labels) if labels.ndim == 1 else -1, SIDE, SIDE), np.dtype(np.uint8))
    if (images.shape, images.dtype) != expected or labels.dtype != np.uint8:
        found = f"{images.dtype}{images.shape} images and {labels.dtype}{labels.shape} labels"
        wanted = f"uint8(n, {SIDE}, {SIDE}) images and uint8(n,) labels"
        raise UserError(f"{path} holds {found} instead of {wanted}; {_REMEDY}")
