"""`digits score` measures accuracy on labelled images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import processes
from tests.cli.test_main import refusal, run
from tests.strokes import empty, page


@pytest.fixture
def labelled(tmp_path, monkeypatch, reader):
    """A project with a model and a folder of 13 labelled images, three of them mistakes.

    Ten digits by two writers, one of which has a wrong label on purpose, a file that is no image,
    an empty page, and a number.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    shutil.copytree(reader, tmp_path / "models/digits")
    rng = np.random.default_rng(3)
    lines = ["file,label,writer"]
    (tmp_path / "mine").mkdir()
    for digit in range(10):
        Image.fromarray(page(str(digit), rng)).save(tmp_path / f"mine/{digit}.png")
        lines.append(f"{digit}.png,{digit if digit else 9},{'AB'[digit % 2]}")
    (tmp_path / "mine/text.png").write_text("no picture")
    Image.fromarray(empty(rng)).save(tmp_path / "mine/empty.png")
    Image.fromarray(page("314/159", rng)).save(tmp_path / "mine/pi.png")
    lines += ["text.png,1,A", "empty.png,2,B", "pi.png,314/159,B"]
    (tmp_path / "mine/labels.csv").write_text("\n".join(lines))
    return tmp_path


def scored(capsys, *arguments):
    """The numbers that `digits score --json` prints."""
    assert run("score", *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_a_table_and_every_mistake_are_printed(labelled):
    """The command as a person runs it."""
    lines = processes.run("digits", "score", "mine").stdout.splitlines()

    (total,) = (line for line in lines if line.startswith("images "))
    assert total.split()[1:4] == ["13", "10", "76.9%"]
    assert "mine/text.png: 1 cannot be read" in lines
    assert "mine/empty.png: 2 no digit found" in lines
    assert any(line.startswith("mine/0.png: 9 read as 0 (") for line in lines)


def test_json_has_all_numbers(labelled, capsys):
    """An image that cannot be read or has no digit is a mistake, listed with the reason."""
    numbers = scored(capsys, "mine")

    assert (numbers["all"]["n"], numbers["all"]["right"]) == (13, 10)
    assert numbers["several"]["right"] == 1
    assert {name: w["n"] for name, w in numbers["writers"].items()} == {"A": 6, "B": 7}
    assert numbers["writers_mean"] == pytest.approx((4 / 6 + 6 / 7) / 2, abs=1e-6)
    assert numbers["classes"]["9"]["read_as"] == {"0": 1}
    assert {m["file"]: m["status"] for m in numbers["mistakes"] if m["status"] != "ok"} == {
        "mine/text.png": "error",
        "mine/empty.png": "no digit",
    }
    assert "not an image" in next(m for m in numbers["mistakes"] if m["status"] == "error")["error"]


def test_mistakes_are_drawn(labelled):
    """One sheet, written again by the next call; without mistakes there is none."""
    assert run("score", "mine", "--mistakes", "wrong.png") == 0
    first = Path("wrong.png").read_bytes()
    assert Image.open("wrong.png").size[0] > 400
    assert run("score", "mine", "--mistakes", "wrong.png") == 0
    assert Path("wrong.png").read_bytes() == first

    (labelled / "mine/labels.csv").write_text("file,label\n1.png,1\n")
    assert run("score", "mine", "--mistakes", "none.png") == 0
    assert not Path("none.png").exists()


def test_another_file_is_not_overwritten_by_a_sheet(labelled, capsys):
    """It is refused before anything is scored."""
    mine = labelled / "mine/1.png"
    before = mine.read_bytes()

    assert "by digits score" in refusal(capsys, "score", "mine", "--mistakes", "mine/1.png")
    assert mine.read_bytes() == before


def test_with_single_each_image_is_one_digit(labelled, capsys):
    """So the number is read wrongly."""
    assert scored(capsys, "mine", "--single")["several"]["right"] == 0


def test_a_folder_without_labels_or_model_is_refused(labelled, capsys):
    """One line, status 2."""
    assert "digits is no class; expected a labels.csv" in refusal(capsys, "score", "models")
    message = refusal(capsys, "score", "mine", "--model", "./nowhere")
    assert "./nowhere: no such file or folder; name the folder of a model" in message
