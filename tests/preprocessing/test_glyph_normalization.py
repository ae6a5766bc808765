"""A digit's ink becomes a glyph of 28 x 28 pixels like those of MNIST."""

import cv2
import numpy as np
import pytest

from digits.preprocessing.glyph_normalization import BOX, SIDE, STROKE_WIDTHS, normalize_glyph


def seven(side, pen):
    """A 7 in straight strokes, `side` pixels tall, 0..1."""
    fine = np.zeros((side * 4, side * 3), np.uint8)
    points = np.array([[0.08, 0.06], [0.9, 0.06], [0.35, 0.94]]) * fine.shape[::-1]
    cv2.polylines(fine, [np.rint(points).astype(np.int32)], False, 255, pen * 4, cv2.LINE_AA)
    rows, columns = np.nonzero(fine.any(1))[0], np.nonzero(fine.any(0))[0]
    cropped = fine[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    small = cv2.resize(cropped, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return small / np.float32(255)


def box(glyph):
    """Height and width of what is not background."""
    return tuple(np.ptp(np.nonzero(glyph > 60)[axis]) + 1 for axis in (0, 1))


@pytest.mark.parametrize(
    ("drawn", "side"), [(30, SIDE), (100, SIDE), (800, SIDE), (100, 16), (400, 64), (100, 224)]
)
def test_the_digit_is_20_pixels_tall_and_centred_by_mass(drawn, side):
    """The size in the image does not matter; glyphs of other sizes have MNIST's proportions."""
    ink = seven(drawn, max(2, drawn // 12))
    glyph = normalize_glyph(ink, ink > 0, side)

    assert (glyph.shape, glyph.dtype) == ((side, side), np.uint8)
    assert abs(max(box(glyph)) - BOX * side / SIDE) <= max(1, side / 64)
    share = glyph / glyph.sum()
    center = [(share.sum(axis) * np.arange(side)).sum() * SIDE / side for axis in (0, 1)]
    assert np.abs(np.array(center) - SIDE / 2).max() < 0.5


@pytest.mark.parametrize("pen", [3, 12, 60])
def test_strokes_are_as_wide_as_in_mnist(pen):
    """Thin strokes are made wider and thick ones thinner, measured by the mass of the digit."""
    ink = seven(400, pen)
    glyph = normalize_glyph(ink, ink > 0)
    length = 30  # pixels of the glyph: both strokes of a 7 together

    assert 0.7 * STROKE_WIDTHS[0] < glyph.sum() / 255 / length < 1.3 * STROKE_WIDTHS[1]


def test_a_faint_stroke_between_clear_ones_stays():
    """A line of a quarter of the ink connects two strokes; a gap stays a gap."""
    ink = np.zeros((200, 140), np.float32)
    ink[:60, 60:76] = ink[140:, 60:76] = 1
    apart = normalize_glyph(ink, ink > 0)
    ink[60:140, 60:76] = 0.25
    joined = normalize_glyph(ink, ink > 0.5)

    assert apart[12:16].max() < 60
    assert joined[8:20].max(1).min() > 100


def test_ink_outside_of_the_mask_is_left_out():
    """A speck beside the digit is not connected to its mask."""
    ink = seven(200, 16)
    mask = ink > 0
    marked = ink.copy()
    marked[90:120, 0:20] = 1

    assert np.array_equal(normalize_glyph(marked, mask), normalize_glyph(ink, mask))
    assert not np.array_equal(normalize_glyph(marked, marked > 0), normalize_glyph(ink, mask))
