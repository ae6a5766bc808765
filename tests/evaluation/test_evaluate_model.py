"""Evaluation scores the saved model on the test pictures and adds to the run that made it."""

import csv
import shutil

import pytest
from PIL import Image

from digits.project import atomic_files, hashing
from digits.project.errors import UserError
from digits.tracking import tracking_store
from tests.training.test_train_model import run_evaluate, run_train, the_run


@pytest.fixture
def evaluated(workspace, once):
    """A workspace with a trained and evaluated model, which is made once and copied."""

    def fill(folder):
        run_train(workspace)
        run_evaluate()
        shutil.copytree(workspace, folder)

    made = once("evaluated", fill)
    if not (workspace / "models").exists():
        shutil.copytree(made, workspace, dirs_exist_ok=True)
        tracking_store.embedded_store()  # mends the paths of the copy
    return workspace


def test_numbers_and_pictures_are_written_and_logged(evaluated):
    """metrics/ has JSON, CSV and pictures, and the run that trained the model has them too."""
    found = atomic_files.read_json(evaluated / "metrics/evaluate.json")
    low, high = found["accuracy_interval"]
    assert found["n"] == 500
    assert 0 < low < found["accuracy"] < high < 1
    assert 0 <= found["ece"] < 0.5

    with (evaluated / "metrics/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = sum(row["actual"] == row["predicted"] for row in rows)
    assert right / len(rows) == found["accuracy"]
    with (evaluated / "metrics/robustness.csv").open() as file:
        damaged = [float(row["accuracy"]) for row in csv.DictReader(file)]
    assert len(damaged) >= 12
    assert found["corrupted_accuracy"] == pytest.approx(sum(damaged) / len(damaged), abs=1e-5)
    with (evaluated / "metrics/classes.csv").open() as file:
        assert sum(int(row["n"]) for row in csv.DictReader(file)) == 500

    run = the_run()
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test_accuracy"] == found["accuracy"]
    assert run.data.metrics["test_recall_7"] > 0
    assert {i.dataset.name for i in run.inputs.dataset_inputs} == {"train", "validation", "test"}


def test_every_picture_can_be_looked_at(evaluated):
    """The six pictures are PNGs of a sensible size with something drawn on them."""
    pictures = sorted((evaluated / "metrics/pictures").iterdir())

    names = ["confusion", "examples", "learning_curves", "mistakes", "reliability", "robustness"]
    assert [p.stem for p in pictures] == names
    for path in pictures:
        with Image.open(path) as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 20


def test_evaluating_again_gives_equal_files(evaluated):
    """The same model and pictures give the same bytes, pictures included."""
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
    """Whatever is missing or damaged is named in one line."""
    change(evaluated)

    with pytest.raises(UserError, match=words):
        run_evaluate()
