"""A model card is one file with all that is recorded, for browsers and for Hugging Face."""

import re
from pathlib import Path

import pytest
import yaml

from digits.evaluation import model_card
from tests.cli.test_main import refusal, run
from tests.service.test_web_pages import full_card


def test_a_card_is_written_for_browsers_and_for_hugging_face(versions, capsys):
    """Each file names the model and needs no other file; a newer one replaces it."""
    for name in ("card.html", "card.md", "card.html"):
        assert run("card", "champion", "--output", name) == 0
        assert capsys.readouterr().out == f"{name}: digits-2: version 2, champion\n"
        text = Path(name).read_text()
        assert "digits-2: version 2, champion</h1>" in text
        assert re.findall(r'(?:src|href)="(?!data:)', text) == []


def test_the_header_has_what_hugging_face_reads():
    """License, tags, data set and metric, and the accuracy of each split as `model-index`."""
    card = full_card("x") | {"classes": model_card.MNIST_CLASSES}
    header = yaml.safe_load(
        model_card.render_markdown(card, "digits version 2: test").split("---")[1]
    )

    assert (header["license"], header["datasets"]) == ("apache-2.0", ["ylecun/mnist"])
    assert header["metrics"] == ["accuracy"]
    assert "image-classification" in header["tags"]
    (model,) = header["model-index"]
    (result,) = model["results"]
    assert model["name"] == "digits version 2"
    assert (result["dataset"]["split"], result["metrics"][0]["value"]) == ("test", 1.0)


@pytest.mark.parametrize("kind", ["images", "glyphs"])
def test_digits_that_are_not_of_mnist_are_not_said_to_be(kind):
    """Whole images of ten digits, and somebody's own glyphs of the size of MNIST's."""
    form = {"kind": kind, "side": 28, "channels": 1, "fit": "pad"}
    card = full_card("x") | {"classes": model_card.MNIST_CLASSES, "format": form}
    text = model_card.render_markdown(card, "meters version 2")
    header = yaml.safe_load(text.split("---")[1])

    assert "datasets" not in header
    assert "handwritten" not in text
    assert "MNIST" not in text
    assert ("the digit read" in text) == (kind == "glyphs")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("notes.md", "notes.md exists and was not written by digits card: choose another"),
        ("card.pdf", "card.pdf: expected a name that ends in .html or .md"),
    ],
)
def test_no_other_file_is_written(versions, capsys, name, words):
    """A file of somebody else stays, and an ending that is no format is refused."""
    Path("notes.md").write_text("mine")

    assert words in refusal(capsys, "card", "1", "--output", name)
    assert Path("notes.md").read_text() == "mine"
    assert not Path("card.pdf").exists()
