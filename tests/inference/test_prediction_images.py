"""A prediction is drawn beside its image, pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from digits.datasets import contact_sheet
from digits.inference import classifier, prediction_images
from digits.inference.prediction_stream import predict_files
from tests import handwriting
from tests.strokes import empty, page


@pytest.fixture
def predictions(tmp_path, reader):
    """Predictions, with pixels, of a digit, a number, an empty page and a text."""
    rng = np.random.default_rng(2)
    for name, text in (("3.png", "3"), ("12.png", "12/345"), ("none.png", "")):
        Image.fromarray(page(text, rng) if text else empty(rng)).save(tmp_path / name)
    (tmp_path / "text.png").write_text("no image")
    files = [str(tmp_path / name) for name in ("3.png", "12.png", "none.png", "text.png")]
    return list(predict_files(files, classifier.load(reader), keep=True))


def shows(image, glyph, zoom):
    """Whether `glyph`, (28, 28), is part of `image`, each pixel as `zoom` x `zoom` pixels."""
    pixels = np.asarray(image.convert("L"))
    expected = np.kron(glyph, np.ones((zoom, zoom), np.uint8))
    windows = np.lib.stride_tricks.sliding_window_view(pixels, expected.shape)[..., ::7, ::7]
    candidates = (windows == expected[::7, ::7]).all((2, 3))
    return any(
        (pixels[y : y + len(expected), x : x + len(expected)] == expected).all()
        for y, x in np.argwhere(candidates)
    )


def card(prediction, zoom):
    """The card of a prediction with its caption."""
    caption = prediction_images.caption(prediction)
    return prediction_images.prediction_card(prediction, caption, zoom=zoom)


def test_a_digit_is_drawn_beside_its_image(predictions):
    """The card has the glyph's 28 x 28 pixels, unchanged, and a frame around the digit."""
    drawn = card(predictions[0], zoom=5)

    assert shows(drawn, predictions[0].reading.glyphs.images[0], 5)
    assert drawn.width == 2 * 5 * 28 + contact_sheet.GAP
    frame = Image.new("RGB", (1, 1), contact_sheet.BLUE).getpixel((0, 0))
    assert (np.asarray(drawn) == frame).all(2).sum() > 100


def test_each_of_several_digits_is_drawn(predictions):
    """The card has all five glyphs, in two rows."""
    drawn = card(predictions[1], zoom=6)

    for glyph in predictions[1].reading.glyphs.images:
        assert shows(drawn, glyph, 2)  # 168 pixels for two rows: 2 x 28 and a text each


def test_previews_are_saved_in_order(predictions, tmp_path):
    """One PNG per readable image, named by number and file; the predictions are passed on."""
    folder = tmp_path / "new/previews"
    passed_on = list(prediction_images.save_previews(iter(predictions), folder, "digits-1"))

    assert passed_on == predictions
    names = ["00001-3.png", "00002-12.png", "00003-none.png"]
    assert sorted(p.name for p in folder.iterdir()) == names
    assert all(Image.open(folder / name).format == "PNG" for name in names)


def test_the_image_of_the_readme_can_be_drawn(reader, tmp_path):
    """`tests.handwriting` draws nine pages in rows."""
    handwriting.draw(reader, tmp_path / "handwriting.png")

    width, height = Image.open(tmp_path / "handwriting.png").size
    assert 1000 < width <= contact_sheet.WIDTH
    assert height > 500
