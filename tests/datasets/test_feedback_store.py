"""Corrections are stored once per image, within bounds, and never lost."""

import hashlib
import multiprocessing
from dataclasses import asdict

import pytest

from digits.datasets import feedback_store
from digits.datasets.feedback_store import DamagedTableError, StoreFullError
from digits.project.errors import UserError
from tests.drawing import written

COLUMNS = {
    "answer": "7",
    "status": "ok",
    "probability": "0.987000",
    "name": "digits",
    "version": "3",
    "model_sha256": "ab" * 32,
}


def add(folder, image, label, **changes):
    """Store a correction of the answer in COLUMNS, with `changes` of them."""
    return feedback_store.add_correction(folder, image, label, **COLUMNS | changes)


def labels(folder):
    """The labels of all rows, in order."""
    return [row.label for row in feedback_store.read_corrections(folder)]


def test_the_bytes_and_all_columns_are_stored(tmp_path):
    """The file is what was sent; the row says label, answer, model and time."""
    image = written("1", kind="JPEG")
    add(tmp_path / "f", image, "1")

    (row,) = feedback_store.read_corrections(tmp_path / "f")
    assert (tmp_path / "f" / row.file).read_bytes() == image
    assert row.file == f"pictures/{hashlib.sha256(image).hexdigest()}.jpeg"
    assert row.label == "1"
    assert asdict(row) | COLUMNS == asdict(row)
    assert row.time.endswith("+00:00")


def test_the_last_label_of_an_image_replaces_those_before(tmp_path):
    """One file, one row; other rows stay as they were."""
    add(tmp_path, written("7"), "7")
    for label in ("7", "1", "2"):
        add(tmp_path, written("1"), label)

    assert labels(tmp_path) == ["7", "2"]
    assert len(list((tmp_path / "pictures").iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b"hello", written("1")[:200]])
def test_bytes_that_are_no_image_are_not_stored(tmp_path, content):
    """Nothing is written."""
    with pytest.raises(UserError, match="the image: "):
        add(tmp_path / "f", content, "1")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_bounded(tmp_path, monkeypatch):
    """By number, by bytes, by the size of an image; a known image can still be corrected."""
    add(tmp_path, written("1"), "1")
    for bound, value in (("MAX_IMAGES", 1), ("MAX_TOTAL_BYTES", len(written("1")) + 10)):
        with monkeypatch.context() as patch:
            patch.setattr(feedback_store, bound, value)
            with pytest.raises(StoreFullError, match="1 images are stored, no more"):
                add(tmp_path, written("7"), "7")
            add(tmp_path, written("1"), "2")
    monkeypatch.setattr(feedback_store, "MAX_IMAGE_BYTES", 100)
    with pytest.raises(UserError, match="at most 100 are stored"):
        add(tmp_path, written("7"), "7")
    assert labels(tmp_path) == ["2"]


@pytest.mark.parametrize("text", ["file,label\nx.png,7\n", "\0", '"', "é\n"])
def test_a_damaged_table_is_never_overwritten(tmp_path, text):
    """Storing and reading are refused; the bytes stay for a person to mend."""
    add(tmp_path, written("1"), "1")
    table = tmp_path / "labels.csv"
    damaged = table.read_text() + text
    table.write_text(damaged)
    with pytest.raises(DamagedTableError, match=r"labels\.csv is not what was stored there"):
        add(tmp_path, written("7"), "7")
    assert table.read_text() == damaged


def add_many(folder, first, count):
    """Store `count` images of this process alone, and as often one that all processes share."""
    for seed in range(first, first + count):
        add(folder, written("1", seed), "1")
        add(folder, written("7"), str(first % 10))


def test_many_processes_lose_nothing(tmp_path):
    """Four writers at once: every image has its row, the shared one has one."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.starmap(add_many, [(tmp_path, first, 10) for first in (0, 10, 20, 30)])

    rows = feedback_store.read_corrections(tmp_path)
    assert len(rows) == len({row.file for row in rows}) == 41
    files = {f"pictures/{path.name}" for path in (tmp_path / "pictures").iterdir()}
    assert {row.file for row in rows} == files
