"""Read the labels of a folder of image files: a table, or a sub-folder per class.

The table `labels.csv` has the columns `file,label` and may have `split` and `group`. What names
of sub-folders mean is in `folder_layout`; which files are images is in `image_files`.
"""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from digits.datasets import folder_layout
from digits.datasets.folder_layout import SPLIT_NAMES, LabelledFile
from digits.preprocessing import class_names
from digits.project.errors import UserError

TABLE = "labels.csv"
FORM = "columns `file,label` and, optionally, `split` and `group`"


def read_labels(folder: Path, classes: list[str]) -> list[LabelledFile]:
    """Read the labels of the images in `folder`: from its labels.csv, or from its sub-folders.

    Files in a table are relative to the folder. Raises UserError, one line, when there are no
    labels, a label has an unknown class, or a file is missing or listed twice.
    """
    check_folder(folder, "`digits predict` reads a single image")
    table = folder / TABLE
    images = read_files(table, classes) if table.is_file() else _from_folders(folder, classes)
    if not images:
        raise UserError(f"{folder}: no labelled image; expected {_expected(classes)}")
    return images


def check_folder(folder: Path, advice: str) -> None:
    """Raise UserError unless `folder` is a folder; `advice` is for somebody who named a file."""
    if folder.is_file():
        raise UserError(f"{folder} is a file, expected a folder of labelled images; {advice}")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one that holds the images")


def _expected(classes: list[str]) -> str:
    return f"a {TABLE} with {FORM}, or sub-folders called {classes[0]} to {classes[-1]}"


def _from_folders(folder: Path, classes: list[str]) -> list[LabelledFile]:
    """List the images of a folder with a sub-folder per class."""
    files = folder_layout.list_classes(folder)
    for name in files.keys() - set(classes):
        where = folder / name
        raise UserError(f"{where}: {name} is no class; expected {_expected(classes)}")
    return [image for images in files.values() for image in images]


def read_files(table: Path, classes: list[str] | None = None) -> list[LabelledFile]:
    """List the images of a table; without `classes`, each label is the name of a class."""
    images: dict[str, LabelledFile] = {}
    for number, row in read_table(table):
        where = f"{table}, line {number}"
        name, label = row["file"].strip(), row["label"].strip()
        group = (row.get("group") or row.get("writer") or "").strip()
        file = table.parent / name
        if not name or not file.is_file():
            raise UserError(f"{where}: no file {str(file)!r}; files are relative to the table")
        key = os.path.realpath(file)
        if key in images:
            before = images[key].label
            other = "" if before == label else f", as {before!r} and as {label!r}"
            raise UserError(f"{where}: {name} is listed twice{other}; remove one of the lines")
        if not label or not (classes is None or class_names.is_label(label, classes)):
            raise UserError(f"{where}: the label is {label!r}; expected {_expected_label(classes)}")
        label = label if classes is None else class_names.canonical_label(label, classes)
        single = classes is None or label in classes
        images[key] = LabelledFile(str(file), label, single, group, _split_of(row, where))
    return list(images.values())


def _expected_label(classes: list[str] | None) -> str:
    if classes is None:
        return "the name of a class"
    several = "several, with / between rows"
    if not class_names.are_characters(classes):
        several = "a JSON list of several"
    return f"one of {class_names.shorten(', '.join(classes), 200)}, or {several}"


def _split_of(row: dict[str, str], where: str) -> str:
    """Return the split of a row: train, validation, test, or empty."""
    split = row.get("split", "").strip().lower()
    if split and split not in SPLIT_NAMES:
        expected = "expected train, validation, test, or nothing"
        raise UserError(f"{where}: the split is {split!r}; {expected}")
    return SPLIT_NAMES.get(split, "")


def read_table(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a table with their line numbers; keys are column names in lower case.

    Raises UserError, one line, when the file cannot be read, is not CSV or has other columns.
    """
    text = _read_text(table)
    head = text.partition("\n")[0]
    lines, delimiter = io.StringIO(text, newline=""), max(",;\t", key=head.count)
    reader = csv.DictReader(lines, restval="", delimiter=delimiter, strict=True)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
        if not {"file", "label"} <= set(reader.fieldnames):
            raise UserError(f"{table} begins with {head[:60]!r}; expected {FORM}")
        for row in reader:
            if any(row.values()):
                yield reader.line_num, row
    except csv.Error as error:
        where = f"{table}, line {reader.reader.line_num}"
        raise UserError(f"{where}: {error}; expected {FORM}") from error


def _read_text(table: Path) -> str:
    """Read a table that may begin with a byte-order mark."""
    try:
        return table.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{table}: {error.strerror}; expected a table with {FORM}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{table} is not UTF-8 ({error.reason}); save it as CSV UTF-8") from error


def columns(table: Path) -> set[str]:
    """Return the names of the columns of a table in lower case; `writer` is called `group`."""
    first = next(read_table(table), (0, {}))[1]
    return {"group" if name == "writer" else name for name in first}
