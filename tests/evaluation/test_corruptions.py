"""Test pictures spoilt in fifteen ways."""

import numpy as np
import pytest

from digits.evaluation import corruptions
from digits.evaluation.corruptions import CORRUPTIONS, corrupt

NAMES = list(CORRUPTIONS)
FIXED = {"scale", "brightness", "stripe", "canny_edges"}  # nothing in them is random
CHANCE = [name for name in NAMES if name not in FIXED]
# These move the ink, or turn black into white.
ELSEWHERE = {"shear", "rotate", "translate", "scale", "stripe", "canny_edges"}


@pytest.fixture
def digits():
    """Sixty pictures of a seven with soft edges, each a little different."""
    pictures = np.zeros((60, 28, 28), np.uint8)
    pictures[:, 6:9, 8:20] = 255
    for row in range(9, 22):
        left = 22 - row // 2 - 5
        pictures[:, row, left : left + 3] = 255
    pictures[:, 9, 8:14] = 90
    pictures[np.arange(60), 14, 6 + np.arange(60) % 6] = 200
    return pictures


def middle(pictures):
    """The centre of mass of each picture, (n, 2) pixels, y first."""
    ticks = np.arange(28)
    rows, columns = pictures.sum(2, dtype=np.int64), pictures.sum(1, dtype=np.int64)
    return (
        np.stack([rows @ ticks, columns @ ticks], 1) / pictures.sum((1, 2), dtype=np.int64)[:, None]
    )


@pytest.mark.parametrize("name", NAMES)
def test_pictures_stay_pictures(digits, name):
    """Shape and type are kept, the input is left alone, and each picture changes."""
    before = digits.copy()
    after = corrupt(digits, name, 0)
    assert (after.shape, after.dtype) == (digits.shape, np.uint8)
    np.testing.assert_array_equal(digits, before)
    assert (after != digits).any((1, 2)).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ELSEWHERE])
def test_the_digit_can_still_be_seen(digits, name):
    """Where ink was and where none was still differ on average."""
    after = corrupt(digits, name, 0)
    assert after[digits > 128].mean() > after[digits == 0].mean() + 60


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(digits, name):
    """The same seed gives the same pictures, another one others where chance plays a part."""
    first = corrupt(digits, name, 3)
    np.testing.assert_array_equal(first, corrupt(digits, name, 3))
    assert (first != corrupt(digits, name, 4)).any() == (name in CHANCE)


@pytest.mark.parametrize("name", NAMES)
def test_what_follows_a_picture_does_not_matter(digits, name, monkeypatch):
    """The first pictures come out as they would alone, inside a chunk and across two."""
    monkeypatch.setattr(corruptions, "CHUNK", 40)
    whole = corrupt(digits, name, 0)
    for count in (0, 1, 7, 40, 41):
        np.testing.assert_array_equal(corrupt(digits[:count], name, 0), whole[:count])


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_picture_and_a_full_one_are_no_trouble(name):
    """Pictures of one grey, as no digit is, divide nothing by zero."""
    flat = np.array([0, 1, 128, 255], np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    with np.errstate(all="raise"):
        assert corrupt(flat, name, 0).shape == flat.shape


def test_translate_moves_to_all_four_corners(digits):
    """Each picture moves by exactly the shift on both axes, and all four ways occur."""
    moves = np.rint(middle(corrupt(digits, "translate", 0)) - middle(digits)).astype(int)
    assert (np.abs(moves) == corruptions.SHIFT).all()
    assert len(np.unique(moves, axis=0)) == 4


@pytest.mark.parametrize("name", ["scale", "rotate", "shear"])
def test_warps_are_about_the_middle(name):
    """A dot in the middle stays there; one elsewhere moves."""
    dots = np.zeros((2, 28, 28), np.uint8)
    dots[0, 13:15, 13:15] = dots[1, 5:7, 13:15] = 255
    shift = np.abs(middle(corrupt(dots, name, 0)) - middle(dots)).max(1)
    assert shift[0] < 0.01
    assert shift[1] > 2


def test_edges_are_thin_outlines():
    """A filled square becomes its closed outline, one pixel wide, and nothing inside."""
    square = np.zeros((1, 28, 28), np.uint8)
    square[:, 8:20, 8:20] = 255
    edges = corrupt(square, "canny_edges", 0)[0]
    assert set(np.unique(edges)) == {0, 255}
    assert not edges[11:17, 11:17].any()
    assert ((edges[11:17] > 0).sum(1) == 2).all()
    assert ((edges[:, 11:17] > 0).sum(0) == 2).all()
