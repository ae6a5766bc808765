"""Ink becomes connected pieces; frames, lines and what the edge cuts off become none."""

import cv2
import numpy as np

from digits.preprocessing.digit_extraction import glyph_components
from digits.preprocessing.foreground import Foreground
from digits.preprocessing.line_removal import remove_lines
from digits.preprocessing.thresholds import estimate_thresholds


def found(amount):
    """The boxes of the pieces, from left to right."""
    boxes = glyph_components(Foreground(amount, estimate_thresholds(amount))).boxes
    return boxes[boxes[:, 0].argsort()].tolist()


def blank():
    """No ink, 200 x 300."""
    return np.zeros((200, 300), np.uint8)


def ring(amount, centre, strength=200):
    """A 0 of 50 pixels' height."""
    return cv2.ellipse(amount, centre, (15, 25), 0, 0, 360, strength, 5)


def test_each_connected_piece_has_a_box():
    """Two digits and no noise."""
    amount = ring(ring(blank(), (80, 100)), (200, 100))
    assert found(amount) == [[62, 72, 99, 129], [182, 72, 219, 129]]


def test_a_piece_within_another_has_a_box_of_its_own():
    """A point in a 0, and the 0's hollow is no piece."""
    amount = ring(blank(), (80, 100))
    amount[97:103, 77:83] = 200
    assert found(amount) == [[62, 72, 99, 129], [77, 97, 83, 103]]


def test_faint_ink_belongs_to_the_clear_ink_it_touches():
    """And alone it is nothing."""
    amount = ring(blank(), (80, 100))
    amount[98:103, 97:150] = 80
    amount[150:160, 200:210] = 80
    assert found(amount) == [[62, 72, 150, 129]]


def test_frames_are_left_out():
    """A box drawn around a digit, and the rim of a cell at the picture's edge."""
    amount = cv2.rectangle(ring(blank(), (150, 100)), (100, 50), (200, 150), 200, 2)
    assert found(amount) == [[132, 72, 169, 129]]
    amount = ring(blank(), (150, 100))
    amount[:3] = amount[-3:] = 200
    amount[:, :3] = amount[:, -3:] = 200
    assert found(amount) == [[132, 72, 169, 129]]


def test_a_neighbour_that_the_edge_cuts_off_is_left_out():
    """Half of a digit on the right; but a digit alone may touch the edge."""
    assert found(ring(ring(blank(), (150, 100)), (298, 100))) == [[132, 72, 169, 129]]
    assert len(found(ring(blank(), (285, 100)))) == 1


def test_ruled_lines_are_left_out():
    """Also those that a digit stands on."""
    amount = ring(blank(), (150, 100))
    for y in range(15, 200, 37):
        amount[y : y + 2] = np.maximum(amount[y : y + 2], 150)
    (box,) = found(amount)
    assert np.abs(np.array(box) - [132, 72, 169, 129]).max() <= 4


def test_lines_go_and_strokes_that_cross_them_stay():
    """Along and across, as dark as the pen."""
    digit = cv2.line(np.zeros((300, 300), np.uint8), (110, 80), (190, 220), 200, 12)
    lines = np.zeros_like(digit)
    lines[40::50] = lines[:, 30::50] = 200
    left = remove_lines(np.maximum(digit, lines))

    assert (left[(lines > 0) & (digit == 0)] < 60).mean() > 0.9
    assert (left[digit > 0] > 100).mean() > 0.9
    assert remove_lines(digit) is None
