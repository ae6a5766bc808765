"""`digits feedback` counts, draws and exports the labels that people gave."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from digits.datasets import feedback_store, split_files
from tests import sealed
from tests.cli.test_main import refusal, run
from tests.datasets.test_feedback_store import add
from tests.drawing import written


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with feedback of two versions: a misread 1, a 7, a number and an empty page."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    folder = tmp_path / feedback_store.FOLDER
    add(folder, written("1"), "1")
    add(folder, written("7"), "7", version="4")
    add(folder, written("26/11"), "26/11", answer="26/11")
    add(folder, written(""), "4", answer="", status="no digit")
    return tmp_path


def test_images_and_misread_images_are_counted(project, capsys):
    """Per class and per version."""
    assert run("feedback") == 0
    lines = capsys.readouterr().out.splitlines()

    assert {
        ("all", "4", "2"),
        ("class 1", "1", "1"),
        ("class 7", "1", "0"),
        ("several digits", "1", "0"),
        ("read by digits 3", "3", "2"),
        ("read by digits 4", "1", "0"),
    } <= {tuple(line.rsplit(maxsplit=2)) for line in lines if line.strip()}

    assert run("feedback", "--json", "--sheet", "sheet.png") == 0
    counted = json.loads(capsys.readouterr().out)
    assert counted["counts"][0] == {"of": "all", "images": 4, "misread": 2}
    assert counted["counts"][1] == {"of": "class 1", "images": 1, "misread": 1}
    assert counted["messages"] == ["drawn: sheet.png"]


def test_score_reads_the_folder_as_it_is(project, capsys):
    """The table of corrections is a table of labels, too."""
    model = sealed.seal(project / "model")
    assert run("score", "data/feedback", "--model", model, "--json") == 0
    numbers = json.loads(capsys.readouterr().out)

    assert (numbers["all"]["n"], numbers["several"]["n"]) == (4, 1)


def test_a_sheet_shows_the_images(project, capsys):
    """A sheet may be drawn again; another file is not overwritten."""
    for _ in range(2):
        assert run("feedback", "--sheet", "sheet.png") == 0
    with Image.open("sheet.png") as sheet:
        colors = sheet.convert("RGB").getcolors(1 << 24)
        assert sheet.width > 4 * 132
    assert (234, 88, 12) in {color for _, color in colors}  # the misread ones

    Path("sheet.png").write_bytes(written("1"))
    assert "by digits feedback" in refusal(capsys, "feedback", "--sheet", "sheet.png")
    assert Path("sheet.png").read_bytes() == written("1")


def test_the_export_is_a_split_with_its_provenance(project, capsys):
    """Each array has its image, label, version and time."""
    assert run("feedback", "--export", "extra") == 0
    assert "6 digits of 3 images to extra; 1 images left out" in capsys.readouterr().out
    labels = split_files.load(Path("extra/feedback.npz")).labels
    provenance = json.loads(Path("extra/provenance.json").read_text())

    assert sorted(labels.tolist()) == [1, 1, 1, 2, 6, 7]
    digest = hashlib.sha256(Path("extra/feedback.npz").read_bytes()).hexdigest()
    assert provenance["sha256"] == digest
    for entry in provenance["pictures"]:
        digits = labels[entry["first"] : entry["first"] + entry["count"]]
        assert "".join(map(str, digits)) == entry["label"].replace("/", "")
        stored = Path("data/feedback") / entry["file"]
        assert hashlib.sha256(stored.read_bytes()).hexdigest() in entry["file"]
        assert entry["version"] in {"3", "4"}
        assert entry["time"]
    (absent,) = provenance["left_out"]
    assert (absent["label"], absent["why"]) == ("4", "0 digits found, 1 labelled")


def test_equal_feedback_is_exported_as_equal_bytes(project):
    """The order of the rows does not matter."""
    assert run("feedback", "--export", "a") == 0
    table = Path("data/feedback/labels.csv")
    head, *rows = table.read_text().splitlines(keepends=True)
    table.write_text(head + "".join(reversed(rows)))
    assert run("feedback", "--export", "b") == 0

    for name in ("feedback.npz", "provenance.json"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()


def test_a_changed_image_is_not_exported(project, capsys):
    """One line names it and nothing is written; a folder with files in it is refused."""
    Path("full").mkdir()
    Path("full/file").touch()
    assert "not empty" in refusal(capsys, "feedback", "--export", "full")
    next(Path("data/feedback/pictures").iterdir()).write_bytes(written("3"))
    message = refusal(capsys, "feedback", "--export", "extra")
    assert "is not what was stored there; remove it" in message
    assert not Path("extra").exists()
