"""Wrong labels are among those that a model doubts most, and the page shows their images."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from digits.datasets import split_files
from digits.evaluation import label_doubts
from digits.inference import classifier
from digits.preprocessing.image_format import ImageFormat
from digits.project.errors import UserError
from tests import sealed
from tests.cli.test_main import refusal, run
from tests.conftest import part


@pytest.fixture
def planted(official, reader, tmp_path, monkeypatch):
    """A checkout with that model, 3,000 images and thirty wrong labels; the planted numbers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    shutil.copytree(reader, tmp_path / "models/digits")
    files = tuple(f"<b>{i}</b> é.png" for i in range(1000))
    shift = 3 * (np.arange(2000) % 100 == 0)
    for name, bounds, names in (("train", (0, 2000), ()), ("validation", (54000, 55000), files)):
        right = part(official, *bounds)
        labels = (right.labels + shift[: len(right)]) % 10
        named = dataclasses.replace(right, labels=labels, files=names)
        split_files.save(named, tmp_path / f"data/splits/{name}.npz")
    return {*(f"train {i}" for i in range(0, 2000, 100)), *files[::100]}


def test_planted_wrong_labels_are_shown_first(planted, tmp_path, capsys):
    """All thirty are among the first sixty, by file or number, with both classes; JSON has them."""
    assert run("data", "--labels", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    page = (tmp_path / "metrics/labels.html").read_text()

    assert len(report["labels"]) == label_doubts.SHOWN
    assert planted <= {doubt["file"] for doubt in report["labels"][:60]}
    first = report["labels"][0]
    assert (int(first["answer"]) + 3) % 10 == int(first["label"])
    assert first["probability"] < 0.01
    assert first["answer_probability"] > 0.9
    assert page.count("data:image/png;base64,") == label_doubts.SHOWN
    assert "&lt;b&gt;500&lt;/b&gt; é.png, validation" in page
    assert "http" not in page


def test_a_terminal_shows_the_first_ones(planted, capsys):
    """A table of ten, and where the page is; a folder beside --labels is refused."""
    assert run("data", "--labels") == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + 10 + 2
    assert printed[-1].startswith("metrics/labels.html shows the 200 of 3,000 images")
    assert "or --labels alone" in refusal(capsys, "data", "folder", "--labels")
    assert "or --labels alone" in refusal(capsys, "data")


def test_images_that_the_model_does_not_take_are_refused(pictures, tmp_path):
    """The splits were made for other classes or another format than the model has."""
    form = ImageFormat("images", 16)
    model = classifier.load(sealed.seal(tmp_path / "other", classes=("a", "b"), form=form))
    with pytest.raises(UserError, match="the train images have other classes or another format"):
        label_doubts.rank_labels(model, {"train": pictures})
