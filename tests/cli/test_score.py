"""`digits score`: labelled pictures of one's own, counted and shown."""

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
    """A project with a model and a folder of labelled pictures; four of twelve are mistakes.

    Ten digits by two writers, of which one is labelled wrongly on purpose, a file that is
    no picture, an empty page, and a number.
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
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_people_get_shares_and_names(labelled):
    """The command as a person runs it."""
    told = processes.run("digits", "score", "mine").stdout.splitlines()

    (total,) = (line for line in told if line.startswith("pictures "))
    assert total.split()[1:4] == ["13", "10", "76.9%"]
    assert "mine/text.png: 1 cannot be read" in told
    assert "mine/empty.png: 2 no digit found" in told
    assert any(line.startswith("mine/0.png: 9 read as 0 (") for line in told)


def test_programs_get_all_numbers(labelled, capsys):
    """What cannot be read and what has no digit is wrong, and named with the reason."""
    found = scored(capsys, "mine")

    assert (found["all"]["n"], found["all"]["right"]) == (13, 10)
    assert found["several"]["right"] == 1
    assert {name: w["n"] for name, w in found["writers"].items()} == {"A": 6, "B": 7}
    assert found["writers_mean"] == pytest.approx((4 / 6 + 6 / 7) / 2, abs=1e-6)
    assert found["classes"]["9"]["read_as"] == {"0": 1}
    assert {m["file"]: m["status"] for m in found["mistakes"] if m["status"] != "ok"} == {
        "mine/text.png": "error",
        "mine/empty.png": "no digit",
    }
    assert "no picture" in next(m for m in found["mistakes"] if m["status"] == "error")["error"]


def test_mistakes_are_drawn(labelled, capsys):
    """One sheet, made anew by the next call; without mistakes none is written."""
    assert run("score", "mine", "--mistakes", "wrong.png") == 0
    first = Path("wrong.png").read_bytes()
    assert Image.open("wrong.png").size[0] > 400
    assert run("score", "mine", "--mistakes", "wrong.png") == 0
    assert Path("wrong.png").read_bytes() == first

    (labelled / "mine/labels.csv").write_text("file,label\n1.png,1\n")
    assert run("score", "mine", "--mistakes", "none.png") == 0
    assert not Path("none.png").exists()


def test_what_a_person_made_is_not_overwritten(labelled, capsys):
    """A picture of somebody else; nothing is scored before that is known."""
    mine = labelled / "mine/1.png"
    before = mine.read_bytes()

    told = refusal(capsys, "score", "mine", "--mistakes", "mine/1.png")
    assert "mine/1.png exists and was not written by digits score: choose another file name" in told
    assert mine.read_bytes() == before


def test_one_digit_may_be_demanded(labelled, capsys):
    """--single takes each picture for one digit, so the number is wrong."""
    assert scored(capsys, "mine", "--single")["several"]["right"] == 0


def test_what_is_wrong_is_told_in_one_line(labelled, capsys):
    """Folders without labels, and no model."""
    assert "digits is no class; expected a labels.csv" in refusal(capsys, "score", "models")
    told = refusal(capsys, "score", "mine", "--model", "./nowhere")
    assert "./nowhere: no such file or folder; name the folder of a model" in told
