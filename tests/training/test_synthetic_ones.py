"""Synthetic ones with a flag."""

import numpy as np
import pytest

from digits.datasets.split_files import LabelledImages
from digits.preprocessing.image_format import ImageFormat
from digits.project.errors import UserError
from digits.training import synthetic_ones


def test_they_have_the_format_of_mnist():
    """Light on dark, 20 pixels (22 with gray edges) on the longer side, centered by mass."""
    images = synthetic_ones.draw_ones(100, seed=1)
    sides = [max(np.ptp(np.nonzero(i), axis=1)) + 1 for i in images]
    mass = images.sum((1, 2))

    assert images.shape == (100, 28, 28)
    assert images.dtype == np.uint8
    assert images.max() == 255
    assert set(sides) <= {20, 21, 22}
    for axis in (1, 2):
        assert np.abs(images.sum(axis) @ np.arange(28) / mass - 14).max() < 0.05


def test_they_have_a_flag_and_half_of_them_a_foot():
    """The flag is left of the stem in the upper half; a foot makes the lowest rows wide."""
    images = synthetic_ones.draw_ones(400, seed=2) > 100
    lowest = np.array([i[np.nonzero(i.any(1))[0][-3:]].any(0).sum() for i in images])
    left = np.array([i[5:16, :13].sum() - i[16:, :13].sum() for i in images[lowest < 6]])

    assert 0.35 < (lowest >= 6).mean() < 0.65
    assert (left > 3).mean() > 0.8  # a slant moves the lower half there, too


def test_the_seed_alone_decides():
    """Equal seeds give equal images, another seed gives others, and no two are equal."""
    images = synthetic_ones.draw_ones(20, seed=3)
    assert np.array_equal(images, synthetic_ones.draw_ones(20, seed=3))
    assert not np.array_equal(images, synthetic_ones.draw_ones(20, seed=4))
    assert len(np.unique(images.reshape(20, -1), axis=0)) == 20


def test_they_are_added_behind_the_given_images():
    """The given images stay the same, the others have the label 1; a count of 0 adds none."""
    given = LabelledImages(np.full((3, 28, 28), 9, np.uint8), np.array([4, 5, 6]))
    more = synthetic_ones.add_synthetic_ones(given, 2, seed=1)

    assert np.array_equal(more.images[:3], given.images)
    assert more.labels.tolist() == [4, 5, 6, 1, 1]
    assert more.labels.dtype == np.int64
    assert len(more.images) == 5
    assert synthetic_ones.add_synthetic_ones(given, 0, seed=1) is given


@pytest.mark.parametrize(
    "data",
    [
        LabelledImages(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.int64), ("a", "b")),
        LabelledImages(
            np.zeros((1, 32, 32), np.uint8), np.zeros(1, np.int64), format=ImageFormat(side=32)
        ),
    ],
    ids=["letters", "other size"],
)
def test_other_images_get_none(data):
    """A count other than 0 is an error that says what the images are."""
    assert synthetic_ones.add_synthetic_ones(data, 0, 1) is data
    with pytest.raises(UserError, match=r"augment.flagged_ones is 5.*glyphs of .*set it to 0"):
        synthetic_ones.add_synthetic_ones(data, 5, 1)
