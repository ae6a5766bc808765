"""Evaluation scores the saved model on the test images and adds to the run that made it."""

import csv
import shutil

import pytest
from PIL import Image

from digits.evaluation import evaluate_model
from digits.project import atomic_files, hashing
from digits.project.errors import UserError
from tests.training.test_train_model import (
    enter_results,
    run_evaluate,
    run_train,
    the_run,
)


@pytest.fixture
def evaluated(workspace, once):
    """A workspace after a training and an evaluation."""
    enter_results(workspace, once, "trained", run_train)
    enter_results(workspace, once, "evaluated", run_evaluate)
    return workspace


def test_names_that_the_font_lacks_stay_short():
    """They are shortened as they are drawn, so that a caption keeps its probability."""
    assert evaluate_model._short("緑の三角形") == "U+7DD1 U+3…"
    assert evaluate_model._short("Rote Kreise") == "Rote Kreise"


def test_scores_are_written_and_logged(evaluated):
    """The files in metrics/ agree with each other and with the run that trained the model."""
    scores = atomic_files.read_json(evaluated / "metrics/evaluate.json")
    names = {"accuracy", "balanced_accuracy", "corrupted_accuracy", "ece", "loss", "n"}
    assert set(scores) == names
    assert scores["n"] == 500
    assert 0 < scores["accuracy"] < 1
    assert 0 <= scores["ece"] < 0.5

    predictions, robustness, classes = (
        list(csv.DictReader((evaluated / f"metrics/{name}.csv").read_text().splitlines()))
        for name in ("predictions", "robustness", "classes")
    )
    right = sum(row["actual"] == row["predicted"] for row in predictions)
    assert right / len(predictions) == scores["accuracy"]
    accuracies = [float(row["accuracy"]) for row in robustness]
    assert len(accuracies) == 15
    assert scores["corrupted_accuracy"] == pytest.approx(sum(accuracies) / 15, abs=1e-5)
    assert sum(int(row["n"]) for row in classes) == 500
    recalls = [float(row["recall"]) for row in classes]
    assert scores["balanced_accuracy"] == pytest.approx(sum(recalls) / 10, abs=1e-5)

    run = the_run()
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test/accuracy"] == scores["accuracy"]
    assert run.data.metrics["class/recall/7"] > 0
    assert {i.dataset.name for i in run.inputs.dataset_inputs} == {"train", "validation", "test"}


def test_every_figure_is_drawn_and_again_the_same(evaluated):
    """Six PNGs of more than 300 pixels with more than 20 colors; all files are equal again."""
    paths = sorted((evaluated / "metrics/pictures").iterdir())

    names = ["confusion", "examples", "learning_curves", "mistakes", "reliability", "robustness"]
    assert [p.stem for p in paths] == names
    for path in paths:
        with Image.open(path) as image:
            assert min(image.size) > 300
            assert len(image.convert("RGB").getcolors(1 << 24)) > 20

    paths = [p for p in (evaluated / "metrics").rglob("*") if p.is_file()]
    before = [hashing.file_sha256(p) for p in paths]

    run_evaluate()

    assert [hashing.file_sha256(p) for p in paths] == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: shutil.rmtree(f / "models/digits"), "no model here yet; `dvc repro` trains one"),
        (lambda f: (f / "models/digits/model.onnx").write_bytes(b"x"), "model.onnx has 1 bytes"),
        (lambda f: (f / "models/digits/weights.pt").unlink(), "weights.pt is missing"),
        (lambda f: (f / "data/splits/test.npz").write_bytes(b"x"), "test.npz is no readable split"),
        (lambda f: (f / "metrics/history.csv").write_text("a,b\n1"), "history.csv cannot be read"),
    ],
)
def test_missing_or_damaged_inputs_are_named(evaluated, change, words):
    """The error names the file that is missing or damaged."""
    change(evaluated)

    with pytest.raises(UserError, match=words):
        run_evaluate()
