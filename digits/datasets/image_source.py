"""Read all images of the source that params.yaml names, as the network sees them.

The sources are MNIST, the data sets of torchvision, and a folder. Dividing the images into
splits is in `stratified_split`.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits.datasets import folder_source, idx_files, torchvision_source
from digits.datasets.image_fitting import ImageFitter
from digits.preprocessing.image_format import ImageFormat
from digits.project.data_params import DataParams
from digits.project.errors import UserError


@dataclass(frozen=True)
class SourceImages:
    """Images (n, *format.shape) with their labels (n,), indices of the sorted `classes`.

    `parts` are train, validation or test where the source says so, else empty; `groups` are empty
    where there are none. `names` are files, or numbers within a part. `sizes` (n, 2) are width and
    height before an image was fitted. `unreadable` are files with reasons.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    format: ImageFormat
    parts: NDArray[np.str_]
    groups: NDArray[np.str_]
    names: list[str]
    sizes: NDArray[np.int64]
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def image_format(data: DataParams) -> ImageFormat:
    """Return the format of the network's input that params.yaml asks for."""
    return ImageFormat(data.kind, data.size, data.channels, data.fit)


def read_source(data: DataParams, raw: Path) -> SourceImages:
    """Read all images of a source; `raw` is the folder of downloaded data sets.

    Raises UserError when files are missing, or when they are damaged and `data.unreadable` is
    stop.
    """
    return _read_folder(data) if data.source == "folder" else _read_data_set(data, raw)


def _read_folder(data: DataParams) -> SourceImages:
    """Read the files of a folder; it may name them in a table."""
    files = folder_source.list_files(data)
    images, sizes, unreadable = ImageFitter(image_format(data)).read_files([f.file for f in files])
    folder_source.report_unreadable(unreadable, len(files), data.unreadable)
    bad = {name for name, _ in unreadable}
    files = [f for f in files if f.file not in bad]
    classes, labels = np.unique([f.label for f in files], return_inverse=True)
    return SourceImages(
        images,
        labels.astype(np.int64),
        tuple(classes.tolist()),
        image_format(data),
        np.array([f.split for f in files]),
        np.array([f.group if data.group != "none" else "" for f in files]),
        [os.path.relpath(f.file, data.path) for f in files],
        sizes,
        unreadable,
    )


def _read_data_set(data: DataParams, raw: Path) -> SourceImages:
    """Read MNIST or a data set of torchvision, which have a training part and a test part."""
    if data.group != "none" or not (data.test == "official" or isinstance(data.test, float)):
        key, value = ("group", data.group) if data.group != "none" else ("test", data.test)
        expected = "none" if key == "group" else "official or a share"
        raise UserError(f"data.{key} is {value}; expected {expected}, because source is no folder")
    if data.source == "mnist":
        parts = idx_files.read_parts(raw)
    else:
        parts = torchvision_source.read_parts(data.source, raw)
    fitter = ImageFitter(image_format(data))
    fitted = [fitter.fit_arrays(images, name) for name, (images, _) in parts.items()]
    named = [name for _, labels in parts.values() for name in labels]
    classes, labels = np.unique(named, return_inverse=True)
    counts = {name: len(names) for name, (_, names) in parts.items()}
    return SourceImages(
        np.concatenate([images for images, _ in fitted]),
        labels.astype(np.int64),
        tuple(classes.tolist()),
        image_format(data),
        np.repeat(list(counts), list(counts.values())),
        np.full(len(labels), ""),
        [f"{name} {i}" for name, n in counts.items() for i in range(n)],
        np.concatenate([sizes for _, sizes in fitted]),
    )
