"""Files are answered in order, as they come, and what cannot be read does not stop the rest."""

import time

import numpy as np
import pytest
from PIL import Image

from stages.lib import answers as module
from stages.lib import classifier
from stages.lib.answers import answers, in_order
from tests.strokes import empty, page


@pytest.fixture(scope="module")
def model(reader):
    """A model that reads well."""
    return classifier.load(reader)


@pytest.fixture
def folder(tmp_path):
    """Ten digits, a number in two rows, an empty page and a text that pretends to be a picture."""
    rng = np.random.default_rng(1)
    for digit in "0123456789":
        Image.fromarray(page(digit, rng)).save(tmp_path / f"{digit}.png")
    Image.fromarray(page("207/3145", rng)).save(tmp_path / "number.jpg", quality=90)
    Image.fromarray(empty(rng)).save(tmp_path / "empty.webp")
    (tmp_path / "text.png").write_text("no picture")
    return tmp_path


def test_digits_are_read(folder, model):
    """Ten drawn digits, each in a file."""
    found = list(answers([str(folder / f"{d}.png") for d in range(10)], model))

    assert [a.text for a in found] == list("0123456789")
    assert all(a.probability > 0.5 for a in found)


def test_several_digits_are_read_in_their_order(folder, model):
    """Rows are separated; probability is the product; boxes go from left to right."""
    (found,) = answers([str(folder / "number.jpg")], model)

    assert found.text == "207/3145"
    assert found.probability == pytest.approx(float(np.prod(found.probabilities.max(1))))
    left = found.look.found.boxes[:, 0]
    assert (np.diff(left)[found.look.found.rows[1:] == found.look.found.rows[:-1]] > 0).all()


def test_each_kind_of_answer_says_what_it_is(folder, model):
    """An empty page is an answer, a text is an error, and both leave the others alone."""
    names = ["text.png", "1.png", "empty.webp", "nowhere.png"]
    found = list(answers([str(folder / name) for name in names], model))

    assert [a.status for a in found] == ["error", "ok", "no digit", "error"]
    assert found[0].look.problem.startswith(str(folder / "text.png"))
    assert [a.text for a in found] == ["", "1", "", ""]


def test_pixels_are_kept_only_where_asked_for(folder, model):
    """Without `keep` nothing large stays in an answer."""
    files = [str(folder / "1.png")]

    assert next(answers(files, model)).look.scan is None
    assert next(answers(files, model, keep=True)).look.scan.pixels.ndim == 3


def test_results_keep_their_order():
    """The first item takes longest and still comes first."""
    assert list(in_order(lambda x: time.sleep(x) or x, [0.1, 0, 0.05, 0])) == [0.1, 0, 0.05, 0]


def test_only_a_few_items_are_taken_ahead():
    """Items are taken as results are, not all at once."""
    taken = []
    results = in_order(lambda x: x, (taken.append(i) or i for i in range(1000)))

    assert [next(results), next(results)] == [0, 1]
    assert len(taken) < 100
    results.close()
    assert len(taken) < 100


def test_the_network_is_called_for_many_digits_at_once(folder, model, monkeypatch):
    """Thirty pictures, one call; a call has little more than `BATCH` digits."""
    calls = []

    class Counting(classifier.Classifier):
        def logits(self, pictures):
            calls.append(len(pictures))
            return super().logits(pictures)

    counting = Counting(model.session, model.classes, model.manifest)
    files = [str(folder / f"{i % 10}.png") for i in range(30)]

    assert len(list(answers(files, counting))) == 30
    monkeypatch.setattr(module, "BATCH", 10)
    assert len(list(answers(files, counting))) == 30
    assert calls == [30, 10, 10, 10]
