"""Files are answered in order, as they come, and what cannot be read does not stop the rest."""

import numpy as np
import pytest
from PIL import Image

from digits.inference import classifier
from digits.inference import prediction_stream as module
from digits.inference.classifier import Classifier
from digits.inference.prediction_stream import map_in_order, predict_files
from tests.strokes import page


@pytest.fixture(scope="module")
def model(reader):
    """A model that reads well."""
    return classifier.load(reader)


@pytest.fixture
def draw(tmp_path):
    """A function: text -> the file of a page with it."""

    def drawn(text):
        Image.fromarray(page(text, np.random.default_rng(1))).save(tmp_path / "page.png")
        return str(tmp_path / "page.png")

    return drawn


def test_several_digits_are_read_in_their_order(draw, model):
    """Rows are separated; probability is the product; boxes go from left to right."""
    (found,) = predict_files([draw("207/3145")], model)

    assert found.text == "207/3145"
    assert found.probability == pytest.approx(float(np.prod(found.probabilities.max(1))))
    left = found.reading.glyphs.boxes[:, 0]
    assert (
        np.diff(left)[found.reading.glyphs.rows[1:] == found.reading.glyphs.rows[:-1]] > 0
    ).all()


def test_only_a_few_items_are_taken_ahead():
    """Items are taken as results are, not all at once."""
    taken = []
    results = map_in_order(lambda x: x, (taken.append(i) or i for i in range(1000)))

    assert [next(results), next(results)] == [0, 1]
    assert len(taken) < 100
    results.close()
    assert len(taken) < 100


def test_the_network_is_called_for_many_digits_at_once(draw, model, monkeypatch):
    """Thirty pictures, one call; a call has little more than `BATCH` digits."""
    calls = []

    class Counting(Classifier):
        def logits(self, pictures):
            calls.append(len(pictures))
            return super().logits(pictures)

    counting = Counting(model.session, model.classes, model.manifest)
    files = [draw("7")] * 30
    monkeypatch.setattr(module, "MAX_WAIT_SECONDS", 60)

    assert len(list(predict_files(files, counting))) == 30
    monkeypatch.setattr(module, "BATCH_SIZE", 10)
    assert len(list(predict_files(files, counting))) == 30
    assert calls == [30, 10, 10, 10]
