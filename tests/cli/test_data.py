"""`digits data` says what images there are, and writes values for them that lead back."""

import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from digits.project import params_file
from digits.training import data_proposal, training_cost
from digits.training.training_cost import TrainingCost
from tests.cli.test_main import refusal, run

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)


@pytest.fixture
def project(tmp_path, monkeypatch, raw):
    """A checkout with the shipped params.yaml and MNIST, as the working directory."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/raw").symlink_to(raw)
    monkeypatch.chdir(tmp_path)
    cost = TrainingCost(170_000, 2**30, 90.0)
    monkeypatch.setattr(training_cost, "estimate_cost", lambda *_: cost)
    return tmp_path


def fill(folder, draw, count=30):
    """Write images of two classes that `draw` makes."""
    for name in ("b", "A: ä"):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(folder / name / f"{i}.png"), draw())


def photo():
    """A random image of 60 x 45 pixels in color."""
    return cv2.resize(RNG.integers(0, 256, (6, 8, 3), np.uint8), (60, 45))


def stroke():
    """A stroke on white paper of 60 x 45 pixels."""
    page = np.full((45, 60), 240, np.uint8)
    cv2.line(page, (20, 8), tuple(map(int, RNG.integers(10, 40, 2))), 20, 4)
    return page


def test_color_images_are_proposed_whole_and_the_way_back_is_exact(project, capsys):
    """--use changes params.yaml, comments kept; `digits data mnist --use` restores each byte."""
    fill(project / "my pets", photo)
    Path("my pets/b/bad.png").write_bytes(b"")
    assert run("data", "my pets", "--use", "--sheet", "sheet.png") == 0
    printed = capsys.readouterr().out
    params = params_file.load_params()

    assert (params.data.source, params.data.path) == ("folder", str(project / "my pets"))
    assert (params.data.kind, params.data.size, params.data.channels) == ("images", 60, 3)
    assert (params.data.unreadable, params.augment.flip, params.model.kind) == ("skip", 0.5, "cnn")
    assert (params.register_.name, params.tune.study) == ("my-pets", "my-pets")
    assert params_file.with_recipe(params, "cnn").augment.elastic == 0
    assert "bad.png: an empty file" in printed
    assert "an epoch takes about 1.5 minutes" in printed
    assert Image.open("sheet.png").width > 200
    assert run("data", "mnist", "--use") == 0
    assert Path("params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_strokes_are_proposed_as_glyphs_and_nothing_is_written(project, capsys):
    """Without --use params.yaml stays; the path of a folder that git tracks is relative."""
    fill(project / "letters", stroke)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "letters"], check=True)
    assert run("data", str(project / "letters"), "--json") == 0
    report = json.loads(capsys.readouterr().out)

    assert report["found"]["classes"] == {"A: ä": 30, "b": 30}
    assert (report["found"]["glyphs"], report["found"]["color"]) == (True, False)
    assert report["changes"]["data.path"] == "letters"
    assert report["changes"]["augment.flagged_ones"] == 0
    assert report["changes"]["model.kind"] == "cnn"  # better than the mlp with few images
    assert "data.kind" not in report["changes"]
    assert Path("params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_groups_and_test_images_are_noticed(project, capsys):
    """Folders below the classes are groups; a column split names the test images."""
    for i in range(12):
        folder = project / f"grouped/{'ab'[i % 2]}/person {i // 2}"
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "x.png"), photo())
    run("data", "grouped", "--json")
    assert json.loads(capsys.readouterr().out)["changes"]["data.group"] == "folder"
    rows = [
        f"{'ab'[i % 2]}/person {i // 2}/x.png,{i % 2},{'test' if i > 8 else 'train'}"
        for i in range(12)
    ]
    Path("grouped/labels.csv").write_text("\n".join(["file,label,split", *rows]))
    run("data", "grouped", "--json")
    changes = json.loads(capsys.readouterr().out)["changes"]
    assert (changes["data.test"], "data.group" in changes) == ("split", False)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "nowhere: no such folder"),
        ("params.yaml", "params.yaml is a file, expected a folder of labelled images"),
        ("data", "data has one class, raw; expected two or more"),
        ("torchvision:Nothing", "torchvision has no such set with parts"),
    ],
)
def test_what_holds_no_images_is_refused_in_one_line(project, capsys, name, words):
    """The line says what was found."""
    assert words in refusal(capsys, "data", name)


def test_the_values_of_mnist_are_those_of_the_shipped_params():
    """The package ships them, for the way back."""
    path = ROOT / "params.yaml"
    shipped = params_file.read_values(path, data_proposal.MNIST)
    assert shipped == data_proposal.MNIST
    recipes = params_file.read_yaml(path)["recipes"]
    for name, values in data_proposal.MNIST_RECIPES.items():
        assert values.items() <= recipes[name].items()


def test_the_cost_is_measured_for_images_of_any_kind(values):
    """A few steps on random images: a network on color images has more parameters."""
    costs = []
    for channels in (1, 3):
        kind = {"kind": "images", "size": 16, "channels": channels}
        values["augment"]["flagged_ones"] = 0
        checked = params_file.check_params({**values, "data": values["data"] | kind}, "test")
        costs.append(training_cost.estimate_cost(checked, 1000, 4))

    assert costs[0].parameters < costs[1].parameters
    assert min(cost.seconds for cost in costs) > 0
