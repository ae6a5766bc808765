"""A digit's ink becomes 28 x 28 pixels as MNIST's makers would have made them."""

import cv2
import numpy as np
import pytest

from digits.preprocessing.glyph_normalization import BOX, PEN, SIDE, normalize_glyph


def seven(side, pen):
    """A 7 in straight strokes, `side` pixels tall, 0..1."""
    fine = np.zeros((side * 4, side * 3), np.uint8)
    points = np.array([[0.08, 0.06], [0.9, 0.06], [0.35, 0.94]]) * fine.shape[::-1]
    cv2.polylines(fine, [np.rint(points).astype(np.int32)], False, 255, pen * 4, cv2.LINE_AA)
    rows, columns = np.nonzero(fine.any(1))[0], np.nonzero(fine.any(0))[0]
    cropped = fine[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cv2.resize(cropped, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) / np.float32(
        255
    )


def box(picture):
    """Height and width of what is not background."""
    return tuple(np.ptp(np.nonzero(picture > 60)[axis]) + 1 for axis in (0, 1))


@pytest.mark.parametrize("side", [30, 100, 800])
def test_the_digit_is_20_pixels_tall_and_centred_by_mass(side):
    """Whatever its size was."""
    ink = seven(side, max(2, side // 12))
    picture = normalize_glyph(ink, ink > 0)

    assert (picture.shape, picture.dtype) == ((SIDE, SIDE), np.uint8)
    assert abs(max(box(picture)) - BOX) <= 1
    share = picture / picture.sum()
    centre = [(share.sum(axis) * np.arange(SIDE)).sum() for axis in (0, 1)]
    assert np.abs(np.array(centre) - SIDE / 2).max() < 0.3


@pytest.mark.parametrize("pen", [3, 12, 60])
def test_strokes_are_as_wide_as_in_mnist(pen):
    """Thin pens are made wider, thick ones thinner: the mass of the digit says so."""
    ink = seven(400, pen)
    picture = normalize_glyph(ink, ink > 0)
    length = 30  # pixels of the result, of a 7's two strokes together

    assert 0.7 * PEN[0] < picture.sum() / 255 / length < 1.3 * PEN[1]


def test_a_faint_stroke_that_joins_clear_ones_stays():
    """A line of a quarter of the ink between two clear ones, and nothing where no line is."""
    ink = np.zeros((200, 140), np.float32)
    ink[:60, 60:76] = ink[140:, 60:76] = 1
    apart = normalize_glyph(ink, ink > 0)
    ink[60:140, 60:76] = 0.25
    joined = normalize_glyph(ink, ink > 0.5)

    assert apart[12:16].max() < 60
    assert joined[8:20].max(1).min() > 100


def test_ink_that_is_not_joined_is_left_out():
    """A speck beside the digit, of as much ink: it is not among the sure pieces."""
    ink = seven(200, 16)
    sure = ink > 0
    marked = ink.copy()
    marked[90:120, 0:20] = 1

    assert np.array_equal(normalize_glyph(marked, sure), normalize_glyph(ink, sure))
    assert not np.array_equal(normalize_glyph(marked, marked > 0), normalize_glyph(ink, sure))
