"""Connected components of the foreground, without frames, lines and parts at the border."""

import cv2
import numpy as np

from digits.preprocessing.digit_extraction import glyph_components
from digits.preprocessing.foreground import Foreground
from digits.preprocessing.line_removal import remove_lines
from digits.preprocessing.thresholds import estimate_thresholds


def component_boxes(intensity):
    """The boxes of the components that may belong to digits, from left to right."""
    boxes = glyph_components(Foreground(intensity, estimate_thresholds(intensity))).boxes
    return boxes[boxes[:, 0].argsort()].tolist()


def blank():
    """An empty page of 200 x 300 pixels."""
    return np.zeros((200, 300), np.uint8)


def ring(intensity, center, strength=200):
    """Draw a 0 of 50 pixels' height."""
    return cv2.ellipse(intensity, center, (15, 25), 0, 0, 360, strength, 5)


def test_each_component_has_a_box():
    """Two digits give two boxes."""
    intensity = ring(ring(blank(), (80, 100)), (200, 100))
    assert component_boxes(intensity) == [[62, 72, 99, 129], [182, 72, 219, 129]]


def test_a_component_within_another_has_a_box_of_its_own():
    """A point in a 0 is a component; the 0's hollow is none."""
    intensity = ring(blank(), (80, 100))
    intensity[97:103, 77:83] = 200
    assert component_boxes(intensity) == [[62, 72, 99, 129], [77, 97, 83, 103]]


def test_weak_ink_counts_where_it_touches_strong_ink():
    """Weak ink alone is no component."""
    intensity = ring(blank(), (80, 100))
    intensity[98:103, 97:150] = 80
    intensity[150:160, 200:210] = 80
    assert component_boxes(intensity) == [[62, 72, 150, 129]]


def test_frames_are_left_out():
    """A box drawn around a digit, and the rim of a cell at the image's border."""
    intensity = cv2.rectangle(ring(blank(), (150, 100)), (100, 50), (200, 150), 200, 2)
    assert component_boxes(intensity) == [[132, 72, 169, 129]]
    intensity = ring(blank(), (150, 100))
    intensity[:3] = intensity[-3:] = 200
    intensity[:, :3] = intensity[:, -3:] = 200
    assert component_boxes(intensity) == [[132, 72, 169, 129]]


def test_a_neighbour_that_the_border_cuts_off_is_left_out():
    """Half of a digit on the right is left out; a digit alone may touch the border."""
    assert component_boxes(ring(ring(blank(), (150, 100)), (298, 100))) == [[132, 72, 169, 129]]
    assert len(component_boxes(ring(blank(), (285, 100)))) == 1


def test_printed_lines_are_left_out():
    """Lines go even where a digit stands on them."""
    intensity = ring(blank(), (150, 100))
    for y in range(15, 200, 37):
        intensity[y : y + 2] = np.maximum(intensity[y : y + 2], 150)
    (box,) = component_boxes(intensity)
    assert np.abs(np.array(box) - [132, 72, 169, 129]).max() <= 4


def test_strokes_that_cross_printed_lines_stay():
    """Lines along and across, as dark as the stroke, are removed."""
    digit = cv2.line(np.zeros((300, 300), np.uint8), (110, 80), (190, 220), 200, 12)
    lines = np.zeros_like(digit)
    lines[40::50] = lines[:, 30::50] = 200
    rest = remove_lines(np.maximum(digit, lines))

    assert (rest[(lines > 0) & (digit == 0)] < 60).mean() > 0.9
    assert (rest[digit > 0] > 100).mean() > 0.9
    assert remove_lines(digit) is None
