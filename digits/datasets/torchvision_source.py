"""Download and read the data sets of `torchvision.datasets` that have a training and a test part.

Importing torchvision takes seconds; it is done where it is needed.
"""

import inspect
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.project.errors import UserError

TIMEOUT = 3600.0  # seconds of a download
Parts = dict[str, tuple[Any, list[str]]]  # by the names train and test: images and their labels
_IDX = "/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte"
# Where files are looked for that somebody has downloaded, all unpacked.
FILES = {name: name + _IDX for name in ("MNIST", "FashionMNIST", "KMNIST")}
FILES |= {
    "QMNIST": "QMNIST/raw/qmnist-{train,test}-{images-idx3-ubyte,labels-idx2-int}",
    "EMNIST": "EMNIST/raw/emnist-SPLIT-{train,test}-{images-idx3,labels-idx1}-ubyte",
    "USPS": "usps.bz2, usps.t.bz2",
    "CIFAR10": "cifar-10-batches-py/",
    "CIFAR100": "cifar-100-python/",
    "SVHN": "train_32x32.mat, test_32x32.mat",
    "GTSRB": "gtsrb/GTSRB/Training/, gtsrb/GTSRB/Final_Test/Images/, gtsrb/GT-final_test.csv",
}
FAILURES = (RuntimeError, OSError, ValueError, EOFError, KeyError, AssertionError, IndexError)
DOWNLOAD = """
import socket, sys
from pathlib import Path
from digits.datasets import torchvision_source
socket.setdefaulttimeout(10)
torchvision_source.open_parts(sys.argv[1], Path(sys.argv[2]), download=True)
"""


def download(source: str, raw: Path) -> None:
    """Put the files of `source`, such as torchvision:KMNIST, into `raw`, unless they are there.

    Raises UserError when they cannot be downloaded; it says which files to put where.
    """
    try:
        open_parts(source, raw)
    except FAILURES:
        pass
    else:
        print(f"{source}: the files in {raw} are used")
        return
    raw.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=raw.parent) as scratch:
        command = [sys.executable, "-c", DOWNLOAD, source, scratch]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT)
        if done.returncode:
            reason = " ".join(done.stderr.split())[-200:]
            raise UserError(
                f"{source} could not be downloaded (…{reason}); {_by_hand(source, raw)}"
            )
        shutil.copytree(scratch, raw, dirs_exist_ok=True)
    print(f"{source}: downloaded by torchvision into {raw}")


def _by_hand(source: str, raw: Path) -> str:
    name, _, split = source.removeprefix("torchvision:").partition(":")
    files = FILES.get(name, f"the files that torchvision.datasets.{name} reads")
    return f"put {files.replace('SPLIT', split)} into {raw} and run this again"


def open_parts(source: str, raw: Path, *, download: bool = False) -> dict[str, Any]:
    """Open the training and the test part of a data set. Raises UserError for an unknown name."""
    from torchvision import datasets

    name, _, split = source.removeprefix("torchvision:").partition(":")
    cls: Any = getattr(datasets, name, None)
    takes = inspect.signature(cls).parameters if inspect.isclass(cls) else {}
    if not {"train", "split"} & takes.keys():
        known = ", ".join(FILES)
        raise UserError(
            f"data.source is {source}; torchvision has no such set with parts ({known})"
        )
    if name == "EMNIST" and split not in cls.splits:
        splits = ", ".join(cls.splits)
        raise UserError(f"data.source is {source}; expected torchvision:EMNIST:SPLIT ({splits})")
    parts = {}
    for part in ("train", "test"):
        chosen = {"train": part == "train"} if split or "train" in takes else {"split": part}
        parts[part] = cls(raw, download=download, **chosen, **({"split": split} if split else {}))
    return parts


def read_parts(source: str, raw: Path) -> Parts:
    """Read the images (n, height, width[, 3]) of both parts, and the class of each image."""
    try:
        opened = open_parts(source, raw)
        return {name: _read(part, source) for name, part in opened.items()}
    except FAILURES as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(
            f"{source}: missing or damaged ({reason}); {_by_hand(source, raw)}"
        ) from error


def _read(part: Any, source: str) -> tuple[Any, list[str]]:
    labels = getattr(part, "targets", None)
    labels = getattr(part, "labels", None) if labels is None else labels
    if labels is None or not hasattr(part, "data"):  # files that are decoded one by one
        pairs = [(np.asarray(image.convert("RGB")), label) for image, label in part]
        return [image for image, _ in pairs], _names(part, np.array([i for _, i in pairs]))
    images = np.asarray(part.data)
    if images.ndim == 4 and images.shape[1] == 3:
        images = images.transpose(0, 2, 3, 1)
    if source.startswith("torchvision:EMNIST"):
        images = images.transpose(0, 2, 1)  # they are stored lying on their side
    return np.ascontiguousarray(images), _names(part, np.asarray(labels))


def _names(part: Any, labels: NDArray[Any]) -> list[str]:
    """Name the class of each image; numbers have equal lengths, so that they sort."""
    classes = getattr(part, "classes", None)
    if classes is None:
        width = len(str(labels.max()))
        return [f"{label:0{width}}" for label in labels.tolist()]
    return [str(classes[label]).partition(" - ")[0] for label in labels.tolist()]
