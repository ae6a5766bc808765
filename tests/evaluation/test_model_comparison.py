"""Two models on the validation images, and the comparison as text, page and PNG."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import onnx
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
from tests.drawing import CHROMIUM, barriers, browser, opened


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
    sealed.reseal(shutil.copytree("model-1", checkout / "mlp"), run_id="0" * 32)
    sealed.seal(checkout / "cnn", kind="cnn")

    comparison = compare_references("mlp", "cnn")

    assert comparison.parameters == [("model.kind", "mlp", "cnn")]
    assert "its run is in no store" in comparison.a.notes[0]


def test_models_with_different_classes_are_not_compared(checkout):
    """The error names the classes of both models."""
    graph = onnx.load("model-2/model.onnx")
    (entry,) = (entry for entry in graph.metadata_props if entry.key == "classes")
    letters = list("abcdefghij")
    entry.value = json.dumps(letters)
    onnx.save(graph, "model-2/model.onnx")
    sealed.reseal(checkout / "model-2", classes=letters)

    with pytest.raises(UserError, match=r"1 and model-2 have different classes \(0, 1.*; a, b"):
        compare_references("1", "model-2")


def test_the_png_shows_the_images(checkout):
    """The PNG of models that disagree is higher than that of two names of one model."""
    equal = compare_references("champion", "model-2/model.onnx")
    assert equal.verdict == "both models have the same files"
    assert (equal.result.p_value, equal.result.difference, len(equal.only_a)) == (1, 0, 0)

    for name, comparison in (("some.png", compare_references("1", "2")), ("none.png", equal)):
        comparison_report.write_files(comparison, None, checkout / name)
    some, none = (Image.open(checkout / name) for name in ("some.png", "none.png"))
    assert some.height > none.height
    assert np.asarray(some.convert("L")).std() > 10


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_page_needs_no_server_and_fits(checkout):
    """Opened as a file it shows every image and fits the width; axe-core finds nothing.

    A folder with the name of a script is shown, not run.
    """
    comparison = compare_references("1", "2")
    model = replace(comparison.b, name="<script>document.body.remove()</script>")
    comparison, html = replace(comparison, b=model), checkout / "compare.html"
    comparison_report.write_files(comparison, html, None)

    with browser() as chromium, opened(chromium, html.as_uri()) as tab:
        text = tab.inner_text("body")
        loaded = tab.evaluate("[...document.images].filter(i => i.naturalWidth == 28).length")
        assert barriers(tab) == []
    assert loaded == min(len(comparison.only_a), 120) + min(len(comparison.only_b), 120)
    assert comparison.verdict in text
    assert model.name in text
    assert f"{comparison.accuracy(comparison.a)[0]:.2%}" in text


def test_the_terminal_shows_the_comparison_and_no_other_file_is_overwritten(checkout, capsys):
    """Accuracy, interval, size, latency of both; files replace those of an older comparison."""
    for _ in range(2):
        assert run("compare", "1", "champion", "--html", "page", "--png", "image") == 0
        output = capsys.readouterr().out
    assert output.startswith("A  1 (digits-1)")
    for words in ("validation accuracy", "95 % interval", "ONNX file", "one image", "train.seed"):
        assert re.search(rf"^{words}", output, re.MULTILINE), words
    assert "500 validation images, exact McNemar p = " in output
    for option, name in (("--html", "page"), ("--png", "image")):
        (checkout / name).write_text("mine")
        message = refusal(capsys, "compare", "1", "2", option, name)
        assert "was not written by digits compare" in message
        assert (checkout / name).read_text() == "mine"
