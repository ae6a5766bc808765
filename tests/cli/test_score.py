"""`digits score` measures accuracy on labelled images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


def test_a_table_and_every_mistake_are_printed_and_drawn(labelled, capsys):
    """The sheet is written again by the next call; without mistakes there is none."""
    sheets = []
    for _ in range(2):
        assert run("score", "mine", "--mistakes", "wrong.png") == 0
        lines = capsys.readouterr().out.splitlines()
        sheets.append(Path("wrong.png").read_bytes())

    (total,) = (line for line in lines if line.startswith("images "))
    assert total.split()[1:4] == ["13", "10", "76.9%"]
    assert "mine/text.png: 1 cannot be read" in lines
    assert "mine/empty.png: 2 no digit found" in lines
    assert any(line.startswith("mine/0.png: 9 read as 0 (") for line in lines)
    assert Image.open("wrong.png").size[0] > 400
    assert sheets[0] == sheets[1]

    (labelled / "mine/labels.csv").write_text("file,label\n1.png,1\n")
    assert run("score", "mine", "--mistakes", "none.png") == 0
    assert not Path("none.png").exists()


def test_json_has_all_numbers(labelled, capsys):
    """An image that cannot be read or has no digit is a mistake, listed with the reason.

    With --single each image is one digit, so the number is a mistake, too.
    """
    numbers = scored(capsys, "mine")
    mistakes = {m["file"]: m for m in numbers["mistakes"]}

    assert (numbers["all"]["n"], numbers["all"]["right"]) == (13, 10)
    assert numbers["several"]["right"] == 1
    assert {name: w["n"] for name, w in numbers["writers"].items()} == {"A": 6, "B": 7}
    assert numbers["classes"]["9"]["read_as"] == {"0": 1}
    statuses = {"mine/0.png": "ok", "mine/text.png": "error", "mine/empty.png": "no digit"}
    assert {file: m["status"] for file, m in mistakes.items()} == statuses
    assert "not an image" in mistakes["mine/text.png"]["error"]
    assert scored(capsys, "mine", "--single")["several"]["right"] == 0


def test_what_cannot_be_scored_or_drawn_is_refused(labelled, capsys):
    """A folder without labels, no model, or another file in the place of the sheet."""
    assert "digits is no class; expected a labels.csv" in refusal(capsys, "score", "models")
    message = refusal(capsys, "score", "mine", "--model", "./nowhere")
    assert "./nowhere: no such file or folder; name the folder of a model" in message
    before = (labelled / "mine/1.png").read_bytes()
    assert "by digits score" in refusal(capsys, "score", "mine", "--mistakes", "mine/1.png")
    assert (labelled / "mine/1.png").read_bytes() == before
