"""The fifteen corruptions of test images."""

import numpy as np
import pytest

from digits.evaluation import corruptions
from digits.evaluation.corruptions import CORRUPTIONS, corrupt

NAMES = list(CORRUPTIONS)
NOT_RANDOM = {"scale", "brightness", "stripe", "canny_edges"}
# These move the digit, or turn black into white.
# Of all pixels with weights; the last bits of a processor change less than a thousand of it.
SUMS = [
    119449336,
    265004660,
    145797281,
    145219587,
    146610371,
    55454685,
    145925412,
    688214721,
    152846440,
    379362875,
    467646796,
    242055424,
    187465516,
    253896674,
    112269870,
]
MOVING = {"shear", "rotate", "translate", "scale", "stripe", "canny_edges"}


@pytest.fixture
def digits():
    """Sixty images of a seven with soft edges, each a little different."""
    images = np.zeros((60, 28, 28), np.uint8)
    images[:, 6:9, 8:20] = 255
    for row in range(9, 22):
        left = 22 - row // 2 - 5
        images[:, row, left : left + 3] = 255
    images[:, 9, 8:14] = 90
    images[np.arange(60), 14, 6 + np.arange(60) % 6] = 200
    return images


def center(images):
    """Return the center of mass of each image, (n, 2) pixels, y first."""
    ticks, whole = np.arange(28), images.astype(np.int64)
    moments = np.stack([whole.sum(2) @ ticks, whole.sum(1) @ ticks], 1)
    return moments / whole.sum((1, 2))[:, None]


@pytest.mark.parametrize("name", NAMES)
def test_the_result_is_a_stack_of_changed_images(digits, name):
    """Shape and type stay, the input is not modified, and each image changes.

    Where it neither moves nor turns white, the digit is still lighter than the background.
    """
    before = digits.copy()
    after = corrupt(digits, name, 0)
    assert (after.shape, after.dtype) == (digits.shape, np.uint8)
    np.testing.assert_array_equal(digits, before)
    assert (after != digits).any((1, 2)).all()
    assert name in MOVING or after[digits > 128].mean() > after[digits == 0].mean() + 60


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_a_random_corruption(digits, name):
    """Equal seeds give equal images; another seed gives others if the corruption is random."""
    first = corrupt(digits, name, 3)
    np.testing.assert_array_equal(first, corrupt(digits, name, 3))
    assert (first != corrupt(digits, name, 4)).any() == (name not in NOT_RANDOM)


@pytest.mark.parametrize("name", NAMES)
def test_the_images_behind_change_nothing(digits, name, monkeypatch):
    """The first images come out as they would alone, inside a chunk and across two."""
    monkeypatch.setattr(corruptions, "CHUNK", 40)
    whole = corrupt(digits, name, 0)
    for count in (0, 1, 7, 40, 41):
        np.testing.assert_array_equal(corrupt(digits[:count], name, 0), whole[:count])


@pytest.mark.parametrize("name", NAMES)
def test_images_of_one_gray_are_corrupted_too(name):
    """An image without contrast leads to no division by zero."""
    flat = np.array([0, 1, 128, 255], np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    with np.errstate(all="raise"):
        assert corrupt(flat, name, 0).shape == flat.shape


def test_translate_moves_to_all_four_corners(digits):
    """Each image moves by exactly the shift on both axes, in all four directions."""
    moves = np.rint(center(corrupt(digits, "translate", 0)) - center(digits)).astype(int)
    assert (np.abs(moves) == corruptions.SHIFT).all()
    assert len(np.unique(moves, axis=0)) == 4


@pytest.mark.parametrize("name", ["scale", "rotate", "shear"])
def test_warps_are_about_the_center(name):
    """A dot in the center stays there; a dot elsewhere moves."""
    dots = np.zeros((2, 28, 28), np.uint8)
    dots[0, 13:15, 13:15] = dots[1, 5:7, 13:15] = 255
    shift = np.abs(center(corrupt(dots, name, 0)) - center(dots)).max(1)
    assert shift[0] < 0.01
    assert shift[1] > 2


def test_canny_edges_are_thin_outlines():
    """A filled square becomes its closed outline, one pixel wide."""
    square = np.zeros((1, 28, 28), np.uint8)
    square[:, 8:20, 8:20] = 255
    edges = corrupt(square, "canny_edges", 0)[0]
    assert set(np.unique(edges)) == {0, 255}
    assert not edges[11:17, 11:17].any()
    assert ((edges[11:17] > 0).sum(1) == 2).all()
    assert ((edges[:, 11:17] > 0).sum(0) == 2).all()


def test_images_of_mnists_size_are_changed_as_ever(digits):
    """Lengths follow the size; at 28 pixels they are those that scores were measured with."""
    weights = np.arange(digits.size).reshape(digits.shape) % 251
    sums = [int((corrupt(digits, name, 1) * weights).sum()) for name in NAMES]
    assert sums == pytest.approx(SUMS, abs=1000)


@pytest.mark.parametrize("name", NAMES)
def test_larger_images_are_changed_as_much(digits, name):
    """Images of 224 pixels, reduced to 28, differ from the original as much as those of 28 do."""
    small = digits[:20]
    large = corrupt(small.repeat(8, 1).repeat(8, 2), name, 0)
    both = corrupt(small, name, 0), large.reshape(20, 28, 8, 28, 8).mean((2, 4))
    change, larger_change = (np.abs(images - small.astype(float)).mean() for images in both)
    assert larger_change == pytest.approx(change, rel=0.25)


def test_channels_are_changed_alike(digits):
    """Each channel of a color image comes out as the gray image would."""
    color = np.stack([digits, digits // 2, 255 - digits], axis=3)[:4]
    for name in NAMES:
        expected = [corrupt(channel, name, 3) for channel in np.moveaxis(color, 3, 0)]
        assert np.array_equal(corrupt(color, name, 3), np.stack(expected, axis=3)), name
