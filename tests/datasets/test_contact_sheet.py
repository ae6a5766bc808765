"""What the network saw is drawn beside the picture, and nothing of a person's is touched."""

import numpy as np
import pytest
from PIL import Image

from digits.datasets import contact_sheet
from digits.inference import classifier, prediction_images
from digits.inference.prediction_stream import predict_files
from tests import handwriting
from tests.strokes import empty, page


@pytest.fixture
def answered(tmp_path, reader):
    """Answers, with pixels, to a digit, a number, an empty page and a text."""
    rng = np.random.default_rng(2)
    for name, text in (("3.png", "3"), ("12.png", "12/345"), ("none.png", "")):
        Image.fromarray(page(text, rng) if text else empty(rng)).save(tmp_path / name)
    (tmp_path / "text.png").write_text("no picture")
    names = ("3.png", "12.png", "none.png", "text.png")
    files = [str(tmp_path / name) for name in names]
    return list(predict_files(files, classifier.load(reader), keep=True))


def shows(image, picture, zoom):
    """Whether `picture`, (28, 28), stands in `image`, each pixel `zoom` x `zoom`."""
    pixels = np.asarray(image.convert("L"))
    wanted = np.kron(picture, np.ones((zoom, zoom), np.uint8))
    windows = np.lib.stride_tricks.sliding_window_view(pixels, wanted.shape)[..., ::7, ::7]
    candidates = (windows == wanted[::7, ::7]).all((2, 3))
    return any(
        (pixels[y : y + len(wanted), x : x + len(wanted)] == wanted).all()
        for y, x in np.argwhere(candidates)
    )


def test_a_digit_stands_beside_its_picture(answered):
    """The network's 28 x 28 pixels, exactly, and a frame around what was found."""
    card = prediction_images.prediction_card(
        answered[0], prediction_images.caption(answered[0]), zoom=5
    )

    assert shows(card, answered[0].reading.glyphs.images[0], 5)
    assert card.width == 2 * 5 * 28 + contact_sheet.GAP
    frame = Image.new("RGB", (1, 1), contact_sheet.BLUE).getpixel((0, 0))
    assert (np.asarray(card) == frame).all(2).sum() > 100


def test_each_of_several_digits_is_drawn(answered):
    """All five, in two rows."""
    card = prediction_images.prediction_card(
        answered[1], prediction_images.caption(answered[1]), zoom=6
    )

    for picture in answered[1].reading.glyphs.images:
        assert shows(card, picture, 2)  # 168 pixels for two rows: 2 x 28 and a text each


def test_previews_are_saved_in_order(answered, tmp_path):
    """One PNG per picture that could be read, called by place and name; answers are handed on."""
    folder = tmp_path / "new/previews"
    handed = list(prediction_images.save_previews(iter(answered), folder))

    assert handed == answered
    names = ["00001-3.png", "00002-12.png", "00003-none.png"]
    assert sorted(p.name for p in folder.iterdir()) == names
    assert all(Image.open(folder / name).format == "PNG" for name in names)


def test_a_sheet_has_all_cards(answered):
    """Cards in rows under a heading, however many there are."""
    cards = [Image.new("RGB", (50, 40), (i, 0, 0)) for i in range(5)]
    sheet = np.asarray(contact_sheet.arrange_cards(cards, "five", 200))

    for i in range(5):
        assert (sheet == (i, 0, 0)).all(2).sum() >= 2000
    assert sheet.shape[1] <= 200
    assert contact_sheet.arrange_cards(cards[:1], "one", 200).width < 100


def test_the_picture_of_the_readme_can_be_made(reader, tmp_path):
    """Nine pages in rows."""
    handwriting.draw(reader, tmp_path / "handwriting.png")

    width, height = Image.open(tmp_path / "handwriting.png").size
    assert 1000 < width <= contact_sheet.WIDTH
    assert height > 500
