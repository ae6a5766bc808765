"""Data sets of torchvision are read from files in place; where they are missing, it is said how."""

import struct

import numpy as np
import pytest
from scipy import io

from digits.datasets import image_source, torchvision_source
from digits.project import params_file
from digits.project.errors import UserError

RNG = np.random.default_rng(0)


def write_idx(folder, prefix, images, labels):
    """Write images and labels as the makers of MNIST did."""
    folder.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">4i", 2051, *images.shape)
    (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.tobytes())
    header = struct.pack(">2i", 2049, len(labels))
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(header + bytes(labels))


@pytest.fixture
def read(values, tmp_path):
    """A function: a source and other values of the section `data` -> the images of the source."""

    def read_(source, **changes):
        data = values["data"] | {"source": source} | changes
        checked = params_file.check_params(values | {"data": data}, "test").data
        torchvision_source.download(checked.source, tmp_path)
        return image_source.read_source(checked, tmp_path)

    return read_


def test_fashion_mnist_is_read_with_the_names_of_its_classes(read, tmp_path, capsys):
    """The pixels are those of the files, and each image keeps its part; classes are sorted."""
    images = RNG.integers(0, 256, (20, 28, 28), np.uint8)
    for prefix, part in (("train", images), ("t10k", images[:10])):
        write_idx(tmp_path / "FashionMNIST/raw", prefix, part, [i % 10 for i in range(len(part))])
    source = read("torchvision:FashionMNIST", kind="images")

    assert (source.classes[0], source.classes[8]) == ("Ankle boot", "T-shirt/top")
    assert (source.images[:20] == images).all()
    assert source.classes[source.labels[0]] == "T-shirt/top"
    assert source.parts.tolist() == ["train"] * 20 + ["test"] * 10
    assert "are used" in capsys.readouterr().out


def test_emnist_is_turned_upright_and_its_empty_class_dropped(read, tmp_path):
    """Its files hold each letter transposed, and the class 0 without a letter."""
    images = RNG.integers(0, 256, (26, 28, 28), np.uint8)
    for part in ("train", "test"):
        write_idx(tmp_path / "EMNIST/raw", f"emnist-letters-{part}", images, range(1, 27))
    source = read("torchvision:EMNIST:letters")

    assert source.classes == tuple("abcdefghijklmnopqrstuvwxyz")
    assert (source.images[3] == images[3].T).all()


def test_color_images_are_made_to_the_format(read, tmp_path, monkeypatch):
    """SVHN's 32 x 32 color images become gray ones of 16 x 16; a class without name is a number."""
    for part in ("train", "test"):
        pixels = RNG.integers(0, 256, (32, 32, 3, 10), np.uint8)
        io.savemat(tmp_path / f"{part}_32x32.mat", {"X": pixels, "y": np.arange(1, 11)[:, None]})
    monkeypatch.setattr("torchvision.datasets.svhn.check_integrity", lambda *_: True)
    source = read("torchvision:SVHN", kind="images", size=16)

    assert (source.classes, source.images.shape) == (tuple("0123456789"), (20, 16, 16))
    assert (source.sizes == 32).all()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("torchvision:KMNIST", "could not be downloaded .*; put KMNIST/raw/.* into .* and run"),
        ("torchvision:Nothing", "torchvision has no such set with parts"),
        ("torchvision:EMNIST", r"expected torchvision:EMNIST:SPLIT \(byclass, "),
        ("torchvision:EMNIST:x", r"expected torchvision:EMNIST:SPLIT \(byclass, "),
    ],
)
def test_what_is_missing_is_said_in_one_line(read, monkeypatch, source, words):
    """Which files to put where; which names there are."""
    monkeypatch.setattr(torchvision_source, "DOWNLOAD", "raise OSError('unreachable')")
    with pytest.raises(UserError, match=rf"^[^\n]*{words}[^\n]*$"):
        read(source)


def test_a_group_and_a_column_are_for_folders(read, tmp_path):
    """A data set has neither."""
    write_idx(tmp_path / "KMNIST/raw", "train", np.zeros((2, 28, 28), np.uint8), [0, 1])
    write_idx(tmp_path / "KMNIST/raw", "t10k", np.zeros((2, 28, 28), np.uint8), [0, 1])
    with pytest.raises(UserError, match=r"data\.group is folder; expected none"):
        read("torchvision:KMNIST", group="folder")
    with pytest.raises(UserError, match=r"data\.test is split; expected official or a share"):
        read("torchvision:KMNIST", test="split")
