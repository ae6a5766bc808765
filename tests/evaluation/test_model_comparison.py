"""Two models on the validation images, and the comparison as text, page and PNG."""

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

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
    """Return the comparison of the models of two references."""
    return model_comparison.compare(a, b, [model_reference.resolve(name) for name in (a, b)])


@pytest.fixture
def checkout(versions, official):
    """A checkout with two versions and 500 validation images."""
    images = LabelledImages(official.images[:500], official.labels[:500])
    split_files.save(images, versions / "data/splits/validation.npz")
    return versions


def test_the_numbers_are_those_of_the_predictions(checkout):
    """Accuracy, difference and who is right where agree with each model's predictions."""
    comparison = compare_references("1", "champion")

    images = split_files.load(checkout / "data/splits/validation.npz")
    first, second = (
        classifier.load(checkout / f"model-{i}").logits(images.images).argmax(1) == images.labels
        for i in (1, 2)
    )
    a, b, result = comparison.a, comparison.b, comparison.result
    assert [comparison.accuracy(model)[0] for model in (a, b)] == [first.mean(), second.mean()]
    assert result.difference == pytest.approx(first.mean() - second.mean())
    assert set(comparison.only_a) == {i for i in range(500) if first[i] and not second[i]}
    assert set(comparison.only_b) == {i for i in range(500) if second[i] and not first[i]}
    assert result.interval[0] < result.difference < result.interval[1]
    assert a.size == (checkout / "model-1/model.onnx").stat().st_size
    assert 0 < a.scores.seconds < 1


def test_parameters_notes_and_verdict(checkout):
    """Parameters that differ have both values; a note doubts a model of another split.

    The verdict names the better model where p is small, and none where it is not.
    """
    comparison = compare_references("1", "2")

    assert comparison.parameters == [("train.seed", "1", "2")]
    assert "trained on another split" in comparison.a.notes[0]
    better = f"{comparison.b.name} is better beyond"
    for p_value, words in ((0.01, better), (0.06, "no difference beyond")):
        result = replace(comparison.result, gained=0, lost=100, p_value=p_value)
        assert replace(comparison, result=result).verdict == f"{words} chance"


def test_folders_without_their_runs_are_compared_by_their_networks(checkout):
    """The parameters of such models are those in their manifests, and a note says so."""
    sealed.seal(checkout / "mlp", seed=3)
    sealed.seal(checkout / "cnn", seed=3, kind="cnn")

    comparison = compare_references("mlp", "cnn")

    assert comparison.parameters == [("model.kind", "mlp", "cnn")]
    assert "its run is in no store" in comparison.a.notes[0]


def test_a_model_is_equal_to_itself(checkout):
    """Two names of one model: no difference, and p is 1."""
    comparison = compare_references("champion", "model-2/model.onnx")

    assert comparison.verdict == "both models have the same files"
    assert (comparison.result.p_value, comparison.result.difference) == (1, 0)
    assert len(comparison.only_a) == 0


def test_models_with_different_classes_are_not_compared(checkout, monkeypatch):
    """The error names the classes of both models."""
    monkeypatch.setattr("digits.training.save_model.CLASSES", list("abcdefghij"))
    sealed.sealed_folder.cache_clear()
    sealed.seal(checkout / "letters")
    sealed.sealed_folder.cache_clear()

    with pytest.raises(UserError, match=r"1 and letters have different classes \(0, 1.*; a, b"):
        compare_references("1", "letters")


def test_the_terminal_shows_the_comparison(checkout, capsys):
    """Names, accuracy, interval, p, size and latency of both are shown."""
    assert run("compare", "1", "champion") == 0
    output = capsys.readouterr().out

    assert output.startswith("A  1 (digits-1)")
    for words in ("validation accuracy", "95 % interval", "ONNX file", "one image", "train.seed"):
        assert re.search(rf"^{words}", output, re.MULTILINE), words
    assert "500 validation images, exact McNemar p = " in output


def test_the_png_shows_the_images(checkout):
    """The PNG of models that disagree is higher than that of equal models."""
    for reference, name in (("2", "some.png"), ("model-1", "none.png")):
        comparison_report.write_files(compare_references("1", reference), None, checkout / name)
    some, none = (Image.open(checkout / name) for name in ("some.png", "none.png"))

    assert some.height > none.height
    assert np.asarray(some.convert("L")).std() > 10


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("size", [{"width": 1200, "height": 900}, {"width": 360, "height": 740}])
def test_the_page_needs_no_server_and_fits(checkout, size):
    """Opened as a file it shows every image, and it never scrolls sideways."""
    comparison = compare_references("1", "2")
    html = checkout / "compare.html"
    comparison_report.write_files(comparison, html, None)

    with browser() as chromium, opened(chromium, html.as_uri(), viewport=size) as tab:
        text = tab.inner_text("body")
        width = tab.evaluate("document.documentElement.scrollWidth")
        loaded = tab.evaluate("[...document.images].filter(i => i.naturalWidth == 28).length")

    assert width <= size["width"]
    assert loaded == min(len(comparison.only_a), 120) + min(len(comparison.only_b), 120)
    assert comparison.verdict in text
    assert f"{comparison.accuracy(comparison.a)[0]:.2%}" in text


def test_names_on_the_page_are_text(checkout):
    """A folder with the name of a script is shown, not run."""
    comparison = compare_references("1", "2")
    model = replace(comparison.b, name="<script>alert(1)</script>")
    page = comparison_report.render_page(replace(comparison, b=model))

    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("option", ["--html", "--png"])
def test_another_file_is_not_overwritten(checkout, capsys, option):
    """A comparison replaces an older comparison and nothing else."""
    for _ in range(2):
        assert run("compare", "1", "2", option, "out") == 0
    (checkout / "out").write_text("mine")

    assert "was not written by digits compare" in refusal(
        capsys, "compare", "1", "2", option, "out"
    )
    assert (checkout / "out").read_text() == "mine"
