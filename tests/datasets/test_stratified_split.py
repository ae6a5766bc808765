"""The split is stratified and seeded, and the data check finds errors."""

import numpy as np
import pytest

from digits.datasets.split_files import LabelledImages
from digits.datasets.stratified_split import check_splits, stratified_split
from digits.project.errors import UserError


def test_the_default_split_has_54000_and_6000_images(official):
    """A tenth of each class is for validation, and no image is in both splits."""
    parts = stratified_split(official, 0.1, seed=1)

    assert {name: len(part) for name, part in parts.items()} == {"train": 54000, "validation": 6000}
    shares = [np.bincount(p.labels) / np.bincount(official.labels) for p in parts.values()]
    assert np.abs(shares[1] - 0.1).max() < 0.0002
    assert check_splits(official, parts)["shared"] == {"train and validation": 0}


def test_the_seed_decides_the_split(official):
    """Equal seeds give equal splits, and different seeds give different ones."""
    parts = [stratified_split(official, 0.1, seed)["validation"].images for seed in (1, 1, 2)]

    assert np.array_equal(parts[0], parts[1])
    assert not np.array_equal(parts[0], parts[2])


def test_a_share_that_empties_a_class_is_an_error(official):
    """A share that leaves a class without validation images is an error of one sentence."""
    with pytest.raises(UserError, match=r"^split.validation_share is 1e-05: "):
        stratified_split(official, 0.00001, seed=1)


@pytest.fixture
def parts():
    """A hundred images of ten classes, and their split."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 28, 28), dtype=np.uint8)
    images[:, 0, :2] = (0, 255)
    official = LabelledImages(images, np.arange(100) % 10)
    return official, stratified_split(official, 0.2, seed=0)


def test_an_image_in_both_splits_is_an_error(parts):
    """The official data has the image once, training and validation have it twice."""
    official, divided = parts
    leaked = divided["validation"].images.copy()
    leaked[0] = divided["train"].images[0]
    divided["validation"] = LabelledImages(leaked, divided["validation"].labels)

    with pytest.raises(UserError, match="are not the official ones, once each"):
        check_splits(official, divided)


def test_official_duplicates_are_counted(parts):
    """An image that is twice in the official data is counted and not an error."""
    official, divided = parts
    divided["test"] = LabelledImages(divided["train"].images[:20], np.arange(20) % 10)

    assert check_splits(official, divided)["shared"]["test and train"] == 20


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: LabelledImages(p.images // 2, p.labels), "pixels range from 0 to 127"),
        (lambda p: LabelledImages(p.images, p.labels + 1), r"only images of \[1, 2, .* 10\]"),
        (lambda p: LabelledImages(p.images, p.labels * 0), r"only images of \[0\]"),
    ],
)
def test_a_malformed_split_is_an_error(parts, change, words):
    """A wrong range of pixels and wrong classes are errors of one sentence."""
    official, divided = parts
    divided["test"] = change(divided["train"])

    with pytest.raises(UserError, match=f"^test: {words}"):
        check_splits(official, divided)
