"""Save and load labelled images: a split is one file on disk, and two arrays in memory.

The file is an uncompressed .npz: images, labels, and the names of the classes and the format of
the images, unless both are MNIST's; for other sources also the names of the files. Its bytes
depend on them alone, so DVC sees an equal split as the same file. Neither torch nor pickle is
used. How images are divided into splits is in `stratified_split`.
"""

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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

    Where `classes` and `format` are left out, they are MNIST's. `files` names each image: its file,
    relative to the folder, or its number in the source; empty for MNIST itself.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...] = tuple(CLASSES)
    format: ImageFormat = MNIST
    files: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)


def save(data: LabelledImages, path: Path) -> None:
    """Write `data` to `path`, complete or not at all; equal arrays give equal bytes.

    Raises UserError when the arrays have another shape or type than LabelledImages describes.
    """
    labels = data.labels.astype(np.uint8 if len(data.classes) <= 256 else np.uint16)
    _check(data.images, labels, data.format, path)
    named: dict[str, Any] = {}
    if (list(data.classes), data.format) != (CLASSES, MNIST):
        described = json.dumps(asdict(data.format), sort_keys=True)
        named = {"classes": np.array(data.classes), "format": np.array(described)}
    if data.files:  # not as an array, in which each would be as long as the longest
        named["files"] = np.frombuffer(json.dumps(data.files).encode(), np.uint8)
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.savez(file, images=data.images, labels=labels, **named)  # numpy dates all members 1980


def load(path: Path) -> LabelledImages:
    """Read a file that `save` wrote.

    Raises UserError, one sentence, when the file is missing or damaged, or when its arrays have
    another shape or type.
    """
    classes, image_format, files = tuple(CLASSES), MNIST, []
    try:
        with np.load(path, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
            if "format" in archive:
                classes = tuple(archive["classes"].tolist())
                image_format = ImageFormat(**json.loads(str(archive["format"])))
            if "files" in archive:
                files = json.loads(archive["files"].tobytes())
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; {_ADVICE}") from error
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is no readable split ({reason}); {_ADVICE}") from error
    _check(images, labels, image_format, path)
    return LabelledImages(images, labels.astype(np.int64), classes, image_format, tuple(files))


def _check(images: NDArray[Any], labels: NDArray[Any], expected: ImageFormat, path: Path) -> None:
    """Raise UserError unless the arrays have the stored shapes and types of one split."""
    n = len(labels) if labels.ndim == 1 else -1
    wrong_images = (images.shape, images.dtype) != ((n, *expected.shape), np.dtype(np.uint8))
    if wrong_images or labels.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        arrays = f"{images.dtype}{images.shape} images and {labels.dtype}{labels.shape} labels"
        shape = ", ".join(map(str, expected.shape))
        raise UserError(f"{path} holds {arrays} instead of uint8(n, {shape}) images; {_ADVICE}")
