"""A split file is read as it was saved; other files are errors."""

import numpy as np
import pytest

from digits.datasets import split_files
from digits.datasets.split_files import LabelledImages
from digits.preprocessing.image_format import ImageFormat
from digits.project.errors import UserError


def test_a_saved_split_is_loaded(tmp_path, pictures):
    """Images and labels are equal to those that were saved; saved again, so are the bytes."""
    for name in ("a", "b"):
        split_files.save(pictures, tmp_path / f"{name}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = split_files.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(loaded.images, pictures.images)
    np.testing.assert_array_equal(loaded.labels, pictures.labels)
    assert (loaded.images.dtype, loaded.labels.dtype) == (np.uint8, np.int64)


def test_classes_and_format_are_stored_unless_they_are_those_of_mnist(tmp_path, pictures):
    """Names of any text come back, and more than 256 classes; MNIST's file has the arrays alone."""
    split_files.save(pictures, tmp_path / "mnist.npz")
    with np.load(tmp_path / "mnist.npz") as archive:
        assert archive.files == ["images", "labels"]
    names, color = tuple(f"{i} ü/é" for i in range(300)), ImageFormat("images", 16, 3, "crop")
    images = np.zeros((2, 16, 16, 3), np.uint8)
    split_files.save(LabelledImages(images, np.array([0, 299]), names, color), tmp_path / "c.npz")
    loaded = split_files.load(tmp_path / "c.npz")

    assert (loaded.classes, loaded.format, loaded.labels.tolist()) == (names, color, [0, 299])


def flipped(content):
    """Flip one bit of an image."""
    return content[:3000] + bytes([content[3000] ^ 1]) + content[3001:]


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda _: b"not a zip",
        lambda _: b"PK\x05\x06" + bytes(18),
        lambda content: content[:5000],
        flipped,
    ],
)
def test_a_damaged_file_is_named(tmp_path, pictures, change):
    """An error of one sentence names a file that is not a split, or not a complete one."""
    path = tmp_path / "damaged.npz"
    split_files.save(pictures, path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=r"damaged\.npz is no readable split .*; make it again"):
        split_files.load(path)


def test_a_missing_file_and_pickles_are_errors(tmp_path):
    """The error of a missing file says how to make it; loading runs no code."""
    path = tmp_path / "gone.npz"
    with pytest.raises(UserError, match=r"gone\.npz is missing; .*dvc repro split"):
        split_files.load(path)
    np.savez(path, images=np.array([{}], dtype=object), labels=np.zeros(1, np.uint8))
    with pytest.raises(UserError, match="no readable split"):
        split_files.load(path)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((3, 28, 28), np.float32), np.zeros(3, np.uint8)),
        (np.zeros((3, 28, 27), np.uint8), np.zeros(3, np.uint8)),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(4, np.uint8)),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(3, np.int64)),
    ],
)
def test_other_arrays_are_an_error(tmp_path, images, labels):
    """The error describes the shapes and types of the arrays, and those that were expected."""
    path = tmp_path / "other.npz"
    np.savez(path, images=images, labels=labels)
    with pytest.raises(UserError, match=r"other\.npz holds .* instead of uint8\(n, 28, 28\)"):
        split_files.load(path)
