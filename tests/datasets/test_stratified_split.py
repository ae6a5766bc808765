"""The division is stratified and seeded, and the data check notices what is wrong."""

import numpy as np
import pytest

from digits.datasets.idx_files import read_mnist
from digits.datasets.mnist_source import FILES, FOLDER
from digits.datasets.split_files import LabelledImages
from digits.datasets.stratified_split import check_splits, stratified_split
from digits.project.errors import UserError


def test_the_shipped_division_is_54000_and_6000(official):
    """A tenth for validation, each class in proportion, every picture once."""
    parts = stratified_split(official, 0.1, seed=1)

    assert {name: len(part) for name, part in parts.items()} == {"train": 54000, "validation": 6000}
    shares = [np.bincount(p.labels) / np.bincount(official.labels) for p in parts.values()]
    assert np.abs(shares[1] - 0.1).max() < 0.0002
    assert check_splits(official, parts)["shared"] == {"train and validation": 0}


def test_the_seed_decides_the_division(official):
    """The same seed gives the same division, another one another."""
    one, same, other = (
        stratified_split(official, 0.1, seed)["validation"].images for seed in (1, 1, 2)
    )

    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_share_that_empties_a_class_is_refused(official):
    """A share that leaves a class without validation pictures ends in a sentence."""
    with pytest.raises(UserError, match=r"^split.validation_share is 1e-05: "):
        stratified_split(official, 0.00001, seed=1)


@pytest.fixture
def parts():
    """A hundred pictures of ten classes, divided."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 28, 28), dtype=np.uint8)
    images[:, 0, :2] = (0, 255)
    official = LabelledImages(images, np.arange(100) % 10)
    return official, stratified_split(official, 0.2, seed=0)


def test_a_picture_in_both_splits_is_refused(parts):
    """A picture in training and in validation that the official data has once is an error."""
    official, divided = parts
    leaked = divided["validation"].images.copy()
    leaked[0] = divided["train"].images[0]
    divided["validation"] = LabelledImages(leaked, divided["validation"].labels)

    with pytest.raises(UserError, match="are not the official ones, once each"):
        check_splits(official, divided)


def test_official_duplicates_are_counted(parts):
    """A picture that the official data itself has twice is reported, not refused."""
    official, divided = parts
    divided["test"] = LabelledImages(divided["train"].images[:20], np.arange(20) % 10)

    assert check_splits(official, divided)["shared"]["test and train"] == 20


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: LabelledImages(p.images // 2, p.labels), "pixels range from 0 to 127"),
        (lambda p: LabelledImages(p.images, p.labels + 1), r"only pictures of \[1, 2, .* 10\]"),
        (lambda p: LabelledImages(p.images, p.labels * 0), r"only pictures of \[0\]"),
    ],
)
def test_a_malformed_split_is_refused(parts, change, words):
    """Wrong shapes, types, ranges and classes each end in a sentence."""
    official, divided = parts
    divided["test"] = change(divided["train"])

    with pytest.raises(UserError, match=f"^test: {words}"):
        check_splits(official, divided)


@pytest.mark.parametrize(
    "content", [None, b"", b"\0\0\x08\x03", b"PK\x03\x04" * 8, b"\0\0\x08\x03" + b"\1" * 12]
)
def test_a_missing_or_damaged_file_is_told(tmp_path, content):
    """A file that is not there, or whose header and length do not agree, ends in a sentence."""
    (tmp_path / FOLDER).mkdir(parents=True)
    for name in FILES if content is not None else ():
        (tmp_path / FOLDER / name).write_bytes(content)

    with pytest.raises(UserError, match=r"^[^\n]* missing or damaged; `dvc repro -f download`"):
        read_mnist(tmp_path, train=True)
