"""A pen's strokes are told from shadows, folds and blots."""

import cv2
import numpy as np
import pytest

from stages.lib.drawn import drawn
from stages.lib.ink import Ink
from stages.lib.levels import Levels

SIDE = 200  # pixels of the picture


def judged(share, box=(40, 40, 160, 160), amount=150):
    """What `drawn` says of a piece with this share of ink, in a picture of 200 x 200."""
    everywhere = np.full((SIDE, SIDE), amount, np.uint8)
    ink = Ink(everywhere, Levels(0, amount, 1))
    return drawn(share.astype(np.float32), share > 0, np.array(box), ink)


def ring(thickness, side=120):
    """A 0, drawn with a pen of some pixels."""
    image = np.zeros((side, side), np.float32)
    reach = (side - thickness) // 2
    return cv2.circle(image, (side // 2, side // 2), reach, 1.0, thickness)


@pytest.mark.parametrize("thickness", [2, 10, 30])
@pytest.mark.parametrize("edge", [False, True])
def test_strokes_are(thickness, edge):
    """Thin or thick, within the picture or at its edge."""
    box = (0, 0, 120, 120) if edge else (40, 40, 160, 160)
    assert judged(ring(thickness), box)


def test_blots_are_not():
    """As wide as long, without a hollow."""
    assert not judged(np.ones((120, 120)))
    assert not judged(cv2.circle(np.zeros((120, 120), np.float32), (60, 60), 58, 1.0, -1))


def test_a_broad_band_is_a_one_unless_the_edge_cuts_it_off():
    """0.4 as wide as long: a marker's stroke, or a shadow."""
    band = np.ones((120, 48))
    assert judged(band, (70, 40, 118, 160))
    assert not judged(band, (0, 0, 48, 120))


def test_soft_edges_are_shadows():
    """A ring blurred over half its radius is no stroke; a slightly blurred one is."""
    padded = cv2.copyMakeBorder(ring(16), 40, 40, 40, 40, cv2.BORDER_CONSTANT)
    soft, sharp = (cv2.GaussianBlur(padded, (0, 0), sigma) for sigma in (14, 2))

    assert judged(sharp, (0, 0, 200, 200))
    assert not judged(soft / soft.max(), (0, 0, 200, 200))


def test_a_faint_straight_line_from_edge_to_edge_is_a_fold():
    """A dark one may be a one; a faint one within the picture, too."""
    line = np.ones((200, 12))
    whole, inside = (90, 0, 102, 200), (90, 40, 102, 160)

    assert not judged(line, whole, amount=40)
    assert judged(line, whole, amount=150)
    assert judged(line[:120], inside, amount=40)


def test_nothing_is_not():
    """Ink too faint for any pixel."""
    assert not judged(np.full((20, 20), 0.1))


def test_a_hairline_stays_when_it_is_looked_at_in_fewer_pixels():
    """Less than a pixel of its width would be left."""
    assert judged(np.ones((1, 150)), (20, 100, 170, 101))
