"""Printed lines are taken away, strokes stay."""

import cv2
import numpy as np

from stages.lib.ruled import pen, without_lines


def test_lines_go_and_strokes_that_cross_them_stay():
    """Along and across, as dark as the pen."""
    amount = np.zeros((300, 300), np.uint8)
    digit = cv2.line(amount.copy(), (110, 80), (190, 220), 200, 12) > 0
    amount[digit] = 200
    lines = np.zeros_like(digit)
    lines[40::50] = lines[:, 30::50] = True
    left = without_lines(np.maximum(amount, lines * np.uint8(200)))

    assert (left[lines & ~digit] < 60).mean() > 0.9
    assert (left[digit] > 100).mean() > 0.9


def test_a_digit_is_no_line():
    """A seven's straight strokes are as thick as all of its pen's."""
    amount = np.zeros((100, 80), np.uint8)
    cv2.polylines(amount, [np.array([[8, 8], [70, 8], [30, 92]])], False, 200, 6)

    assert without_lines(amount) is None


def test_the_width_of_a_pen_is_measured():
    """In pixels, from area and outline."""
    mask = np.zeros((100, 100), np.uint8)
    mask[40:46, 10:90] = 1
    assert abs(pen(mask) - 6) <= 1.5
