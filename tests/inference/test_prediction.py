"""Images are predicted in order, in batches, and an unreadable file does not stop the others."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits.inference import classifier, prediction_stream
from digits.inference.classifier import Classifier
from digits.inference.prediction import read_image
from digits.inference.prediction_stream import map_in_order, predict_files
from digits.project.errors import UserError
from tests.strokes import empty, page


@pytest.fixture(scope="module")
def model(reader):
    """A model with an accuracy of at least 98 %."""
    return classifier.load(reader)


@pytest.fixture
def draw(tmp_path):
    """A function that draws a page with a text and returns its file."""

    def draw_page(text):
        Image.fromarray(page(text, np.random.default_rng(1))).save(tmp_path / "page.png")
        return str(tmp_path / "page.png")

    return draw_page


def test_several_digits_are_read_in_their_order(draw, model):
    """Rows are separated; the probability is a product; boxes go from left to right."""
    (prediction,) = predict_files([draw("207/3145")], model)

    assert prediction.text == "207/3145"
    assert prediction.probability == pytest.approx(float(prediction.probabilities.max(1).prod()))
    glyphs = prediction.reading.glyphs
    same_row = glyphs.rows[1:] == glyphs.rows[:-1]
    assert (np.diff(glyphs.boxes[:, 0])[same_row] > 0).all()


def test_bytes_are_read_as_a_file_of_theirs_is(draw):
    """`read_image` gives the glyphs that the stream gets, and raises what the stream reports."""
    content = Path(draw("42")).read_bytes()
    reading, image = read_image(content, "body")

    assert len(reading.glyphs.images) == 2
    assert image.size == Image.open(draw("42")).size
    assert len(read_image(content, "body", several=False)[0].glyphs.images) == 1
    with pytest.raises(UserError, match=r"^body: .* pixels, at most 100 are taken"):
        read_image(content, "body", max_pixels=100)


def test_an_unreadable_file_and_an_empty_page_do_not_stop_the_others(draw, model, tmp_path):
    """Their predictions have no digits and say why, at their place in the order."""
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(empty(np.random.default_rng(0))).save(tmp_path / "empty.png")
    files = [str(tmp_path / "text.png"), str(tmp_path / "empty.png"), draw("7")]
    predictions = list(predict_files(files, model))

    assert [p.status for p in predictions] == ["error", "no digit", "ok"]
    assert [p.text for p in predictions] == ["", "", "7"]
    assert predictions[0].reading.problem.startswith(files[0])


def test_only_a_few_items_are_taken_ahead():
    """Items are taken as results are consumed, not all at once."""
    taken = []
    results = map_in_order(lambda x: x, (taken.append(i) or i for i in range(1000)))

    assert [next(results), next(results)] == [0, 1]
    assert len(taken) < 100
    results.close()
    assert len(taken) < 100


def test_the_network_runs_on_many_glyphs_at_once(draw, model, monkeypatch):
    """Thirty images need one call, or three of a batch of ten."""
    calls = []

    class Counting(Classifier):
        def logits(self, images):
            calls.append(len(images))
            return super().logits(images)

    counting = Counting(model.session, model.classes, model.manifest)
    files = [draw("7")] * 30
    monkeypatch.setattr(prediction_stream, "MAX_WAIT_SECONDS", 60)

    assert len(list(predict_files(files, counting))) == 30
    monkeypatch.setattr(prediction_stream, "BATCH_SIZE", 10)
    assert len(list(predict_files(files, counting))) == 30
    assert calls == [30, 10, 10, 10]
