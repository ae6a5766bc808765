"""A contact sheet shows all of its cards."""

import numpy as np
from PIL import Image

from digits.datasets import contact_sheet


def test_letters_with_accents_are_drawn():
    """Each differs from the mark for a letter that the font lacks."""
    image = Image.new("RGB", (50, 40))
    drawn = {contact_sheet.add_caption(image, [(text, "black")]).tobytes() for text in "ÜéßØ\uffff"}
    assert len(drawn) == 5


def test_a_sheet_has_all_cards():
    """Cards are in rows below a heading, however many there are."""
    cards = [Image.new("RGB", (50, 40), (i, 0, 0)) for i in range(5)]
    sheet = np.asarray(contact_sheet.arrange_cards(cards, "five", 200))

    for i in range(5):
        assert (sheet == (i, 0, 0)).all(2).sum() >= 2000
    assert sheet.shape[1] <= 200
    assert contact_sheet.arrange_cards(cards[:1], "one", 200).width < 100
