"""What people say of answers: stored, counted, drawn, exported."""

import hashlib
import json
import multiprocessing
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from digits.datasets import feedback_store as kept
from digits.datasets import split_files
from digits.datasets.feedback_store import DamagedTableError, StoreFullError
from digits.project.errors import UserError
from tests.cli.test_main import refusal, run
from tests.drawing import written as picture

FACTS = {
    "answer": "7",
    "status": "ok",
    "probability": "0.987000",
    "name": "digits",
    "version": "3",
    "model_sha256": "ab" * 32,
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with feedback of two versions: a misread 1, a 7, a number and an empty page."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    folder = tmp_path / kept.FOLDER
    kept.add_correction(folder, picture("1"), "1", **FACTS)
    kept.add_correction(folder, picture("7"), "7", **{**FACTS, "version": "4"})
    kept.add_correction(folder, picture("26/11"), "26/11", **{**FACTS, "answer": "26/11"})
    kept.add_correction(folder, picture(""), "4", **{**FACTS, "answer": "", "status": "no digit"})
    return tmp_path


def test_the_bytes_and_all_that_is_known_are_stored(tmp_path):
    """The file is what was sent; the row says label, answer, model and time."""
    sent = picture("1", kind="JPEG")
    kept.add_correction(tmp_path / "f", sent, "1", **FACTS)

    (row,) = kept.read_corrections(tmp_path / "f")
    assert (tmp_path / "f" / row.file).read_bytes() == sent
    assert row.file == f"pictures/{hashlib.sha256(sent).hexdigest()}.jpeg"
    assert row.label == "1"
    assert asdict(row) | FACTS == asdict(row)
    assert row.time.endswith("+00:00")


def test_of_a_picture_that_is_sent_twice_the_last_label_counts(tmp_path):
    """One file, one row; other rows stay as they were."""
    kept.add_correction(tmp_path, picture("7"), "7", **FACTS)
    for label in ("7", "1", "2"):
        kept.add_correction(tmp_path, picture("1"), label, **FACTS)

    assert [row.label for row in kept.read_corrections(tmp_path)] == ["7", "2"]
    assert len(list((tmp_path / "pictures").iterdir())) == 2


@pytest.mark.parametrize("sent", [b"", b"hello", picture("1")[:200]])
def test_what_is_no_picture_is_not_stored(tmp_path, sent):
    """Nothing is written."""
    with pytest.raises(UserError, match="the picture: "):
        kept.add_correction(tmp_path / "f", sent, "1", **FACTS)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_does_not_grow_without_end(tmp_path, monkeypatch):
    """By number, by bytes, by the size of one picture; a known picture can still be corrected."""
    kept.add_correction(tmp_path, picture("1"), "1", **FACTS)
    for bound in ("MOST", "TOTAL"):
        with monkeypatch.context() as patch:
            patch.setattr(kept, bound, 1 if bound == "MOST" else len(picture("1")) + 10)
            with pytest.raises(StoreFullError, match="1 pictures are stored, no more"):
                kept.add_correction(tmp_path, picture("7"), "7", **FACTS)
            kept.add_correction(tmp_path, picture("1"), "2", **FACTS)
    monkeypatch.setattr(kept, "MAX_IMAGE_BYTES", 100)
    with pytest.raises(UserError, match="at most 100 are stored"):
        kept.add_correction(tmp_path, picture("7"), "7", **FACTS)
    assert [row.label for row in kept.read_corrections(tmp_path)] == ["2"]


@pytest.mark.parametrize("text", ["file,label\nx.png,7\n", "\0", '"', "é\n"])
def test_a_damaged_table_is_never_overwritten(tmp_path, text):
    """Storing and reading say so; the bytes stay for a person to mend."""
    kept.add_correction(tmp_path, picture("1"), "1", **FACTS)
    whole = (tmp_path / "labels.csv").read_text()
    (tmp_path / "labels.csv").write_text(whole + text)
    with pytest.raises(DamagedTableError, match=r"labels\.csv is not what was stored there"):
        kept.add_correction(tmp_path, picture("7"), "7", **FACTS)
    assert (tmp_path / "labels.csv").read_text() == whole + text


def write_many(folder, first, count):
    """Store `count` pictures, each its own, and one that all processes share."""
    for seed in range(first, first + count):
        kept.add_correction(folder, picture("1", seed), "1", **FACTS)
        kept.add_correction(folder, picture("7"), str(first % 10), **FACTS)


def test_many_processes_lose_nothing(tmp_path):
    """Four writers at once: every picture has its row, the shared one has one."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        pool.starmap(write_many, [(tmp_path, first, 10) for first in (0, 10, 20, 30)])

    rows = kept.read_corrections(tmp_path)
    assert len(rows) == len({row.file for row in rows}) == 41
    assert {row.file for row in rows} == {
        f"pictures/{path.name}" for path in (tmp_path / "pictures").iterdir()
    }


def test_counts_are_told(project, capsys):
    """Per class and per version, and how many were misread."""
    assert run("feedback") == 0
    told = capsys.readouterr().out

    rows = {tuple(line.rsplit(maxsplit=2)) for line in told.splitlines() if line.strip()}
    assert {
        ("all", "4", "2"),
        ("class 1", "1", "1"),
        ("class 7", "1", "0"),
        ("several digits", "1", "0"),
        ("read by digits 3", "3", "2"),
        ("read by digits 4", "1", "0"),
    } <= rows


def test_the_folder_is_one_that_score_reads(project, reader, capsys):
    """`digits score data/feedback` as it is."""
    assert run("score", "data/feedback", "--model", reader, "--json") == 0
    numbers = json.loads(capsys.readouterr().out)

    assert numbers["all"]["n"] == 4
    assert numbers["several"]["n"] == 1


def test_a_sheet_shows_the_pictures(project, capsys):
    """Drawn again in its place, never over something else."""
    for _ in range(2):
        assert run("feedback", "--sheet", "sheet.png") == 0
    with Image.open("sheet.png") as sheet:
        colours = sheet.convert("RGB").getcolors(1 << 24)
        assert sheet.width > 4 * 132
    assert (234, 88, 12) in {colour for _, colour in colours}  # the misread ones

    Path("sheet.png").write_bytes(picture("1"))
    told = refusal(capsys, "feedback", "--sheet", "sheet.png")
    assert "was not written by digits feedback" in told
    assert Path("sheet.png").read_bytes() == picture("1")


def test_the_export_is_a_split_with_its_origin(project, capsys):
    """Arrays that `dataset.load` reads; each array has its picture, label, version and time."""
    assert run("feedback", "--export", "extra") == 0
    assert "6 digits of 3 pictures to extra; 1 pictures left out" in capsys.readouterr().out
    found = split_files.load(Path("extra/feedback.npz"))
    told = json.loads(Path("extra/provenance.json").read_text())

    assert sorted(found.labels.tolist()) == [1, 1, 1, 2, 6, 7]
    assert told["sha256"] == hashlib.sha256(Path("extra/feedback.npz").read_bytes()).hexdigest()
    for source in told["pictures"]:
        part = found.labels[source["first"] : source["first"] + source["count"]]
        assert "".join(map(str, part)) == source["label"].replace("/", "")
        stored = Path("data/feedback") / source["file"]
        assert hashlib.sha256(stored.read_bytes()).hexdigest() in source["file"]
        assert source["version"] in {"3", "4"}
        assert source["time"]
    (absent,) = told["left_out"]
    assert (absent["label"], absent["why"]) == ("4", "0 digits found, 1 labelled")


def test_equal_feedback_is_exported_as_equal_bytes(project):
    """Twice into two folders; in another order of rows, too."""
    assert run("feedback", "--export", "a") == 0
    head, *rows = Path("data/feedback/labels.csv").read_text().splitlines(keepends=True)
    Path("data/feedback/labels.csv").write_text(head + "".join(reversed(rows)))
    assert run("feedback", "--export", "b") == 0

    for name in ("feedback.npz", "provenance.json"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()


def test_an_altered_picture_is_not_exported(project, capsys):
    """One line says which; nothing is written, and what is there is not replaced."""
    Path("full").mkdir()
    Path("full/thing").touch()
    told = refusal(capsys, "feedback", "--export", "full")
    assert "full exists and is not empty" in told
    stored = next(Path("data/feedback/pictures").iterdir())
    stored.write_bytes(picture("3"))
    told = refusal(capsys, "feedback", "--export", "extra")
    assert "is not what was stored there; remove it" in told
    assert not Path("extra").exists()


def test_without_feedback_one_line_says_where_it_comes_from(tmp_path, monkeypatch, capsys):
    """Status 2."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").touch()

    told = refusal(capsys, "feedback")
    assert "no feedback yet; `digits serve` has a page that collects it" in told
