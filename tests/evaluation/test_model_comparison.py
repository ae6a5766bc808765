"""Two models side by side: the numbers are those of the pictures, the page needs nothing."""

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from digits.cli import compare as comparing
from digits.datasets import split_files
from digits.datasets.split_files import LabelledImages
from digits.evaluation import comparison_report, model_comparison
from digits.inference import classifier
from digits.project.errors import UserError
from digits.registry import model_reference
from tests import sealed
from tests.cli.test_main import refusal, run
from tests.drawing import CHROMIUM, browser, opened


def compare_references(a: str, b: str):
    """The comparison of the models that two references name."""
    return model_comparison.compare(a, b, [model_reference.resolve(name) for name in (a, b)])


@pytest.fixture
def shown(versions, official):
    """A checkout with two versions and 500 validation pictures."""
    pictures = LabelledImages(official.images[:500], official.labels[:500])
    split_files.save(pictures, versions / "data/splits/validation.npz")
    return versions


def test_the_numbers_are_those_of_the_pictures(shown):
    """Accuracy, who is right where, and their difference, against a count by hand."""
    found = compare_references("1", "champion")

    pictures = split_files.load(shown / "data/splits/validation.npz")
    first, second = (
        classifier.load(shown / f"model-{i}").logits(pictures.images).argmax(1) == pictures.labels
        for i in (1, 2)
    )
    assert found.accuracy(found.a)[0] == first.mean()
    assert found.accuracy(found.b)[0] == second.mean()
    assert found.result.difference == pytest.approx(first.mean() - second.mean())
    assert set(found.only_a) == {i for i in range(500) if first[i] and not second[i]}
    assert set(found.only_b) == {i for i in range(500) if second[i] and not first[i]}
    low, high = found.result.interval
    assert low < found.result.difference < high
    assert found.a.size == (shown / "model-1/model.onnx").stat().st_size
    assert 0 < found.a.seconds < 1


def test_runs_say_what_differs_and_what_to_think_of(shown):
    """Parameters that differ, with both values, and whether a model may have seen the pictures.

    The verdict names the better model where p is small, and none where it is not.
    """
    found = compare_references("1", "2")

    assert found.parameters == [("train.seed", "1", "2")]
    assert "trained on another split" in found.a.notes[0]
    for p, words in ((0.01, f"{found.b.name} is better beyond"), (0.06, "no difference beyond")):
        contest = replace(found.result, gained=0, lost=100, p=p)
        assert replace(found, contest=contest).verdict == f"{words} chance"


def test_folders_without_their_runs_are_compared_by_their_networks(shown):
    """Models of somebody else: what they say of themselves counts, and that is told."""
    sealed.seal(shown / "theirs", seed=3)
    sealed.seal(shown / "conv", seed=3, kind="cnn")

    found = compare_references("theirs", "conv")

    assert found.parameters == [("model.kind", "mlp", "cnn")]
    assert "its run is in no store" in found.a.notes[0]


def test_a_model_is_equal_to_itself(shown):
    """The same bytes by two names: no difference, and p is 1."""
    found = compare_references("champion", "model-2/model.onnx")

    assert found.verdict == "both are the same bytes"
    assert (found.result.p_value, found.result.difference, len(found.only_a)) == (1, 0, 0)


def test_models_of_other_classes_are_not_compared(shown, monkeypatch):
    """Letters against digits: one line."""
    monkeypatch.setattr("digits.training.save_model.CLASSES", list("abcdefghij"))
    sealed.made.cache_clear()
    sealed.seal(shown / "letters")
    sealed.made.cache_clear()

    with pytest.raises(UserError, match="name other classes"):
        compare_references("1", "letters")


def test_the_terminal_shows_all_of_it(shown, capsys):
    """Both names, accuracy, interval, p, size and latency in one table."""
    assert run("compare", "1", "champion") == 0
    told = capsys.readouterr().out

    assert told.startswith("A  1 (digits-1)")
    for words in ("validation accuracy", "95 % interval", "size", "one picture", "train.seed"):
        assert re.search(rf"^{words} ", told, re.MULTILINE), words
    assert "500 validation pictures, exact McNemar p = " in told


def test_the_picture_shows_the_pictures(shown):
    """The PNG grows with the number of pictures that it shows."""
    few, many = compare_references("1", "2"), compare_references("1", "model-1")
    for found, name in ((few, "few.png"), (many, "none.png")):
        comparing.write(found, None, shown / name)
    heights = [Image.open(shown / name).height for name in ("few.png", "none.png")]

    assert heights[0] > heights[1]
    assert np.asarray(Image.open(shown / "few.png").convert("L")).std() > 10


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("size", [{"width": 1200, "height": 900}, {"width": 360, "height": 740}])
def test_the_page_needs_no_server_and_fits(shown, size):
    """Opened as a file it asks for nothing, shows every picture and never scrolls sideways."""
    found = compare_references("1", "2")
    html = shown / "compare.html"
    comparing.write(found, html, None)

    with browser() as chromium, opened(chromium, html.as_uri(), viewport=size) as tab:
        text = tab.inner_text("body")
        width = tab.evaluate("document.documentElement.scrollWidth")
        loaded = tab.evaluate("[...document.images].filter(i => i.naturalWidth == 28).length")

    assert width <= size["width"]
    assert loaded == min(len(found.only_a), 120) + min(len(found.only_b), 120)
    assert found.verdict in text
    assert f"{found.accuracy(found.a)[0]:.2%}" in text


def test_names_on_the_page_are_text(shown):
    """A folder called like a script is shown, not run."""
    found = compare_references("1", "2")
    evil = replace(found, b=replace(found.b, name="<script>alert(1)</script>"))

    assert "<script>" not in comparison_report.render_page(evil)
    assert "&lt;script&gt;" in comparison_report.render_page(evil)


@pytest.mark.parametrize("option", ["--html", "--png"])
def test_a_file_of_somebody_is_not_overwritten(shown, capsys, option):
    """A comparison replaces a comparison and nothing else."""
    assert run("compare", "1", "2", option, "out") == 0
    assert run("compare", "1", "2", option, "out") == 0
    (shown / "out").write_text("mine")

    told = refusal(capsys, "compare", "1", "2", option, "out")
    assert "was not written by digits compare: choose another" in told
    assert (shown / "out").read_text() == "mine"
