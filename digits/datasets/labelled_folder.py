"""Read the labels of a folder of image files: a table, or a sub-folder per class.

The table `labels.csv` has the columns `file,label` and may have `writer`. Which files are images
is in `image_files`.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from digits.datasets.image_files import list_folder
from digits.project.errors import UserError

TABLE = "labels.csv"
FORM = "columns `file,label` and, optionally, `writer`"


@dataclass(frozen=True)
class LabelledFile:
    """An image file, the digits on it (`/` between rows), and their writer (may be empty).

    `single` is whether the label is one class.
    """

    file: str
    label: str
    single: bool
    writer: str = ""


def read_labels(folder: Path, classes: list[str]) -> list[LabelledFile]:
    """Read the labels of the images in `folder`: from its labels.csv, or from its sub-folders.

    Files in a table are relative to the folder. Raises UserError, one line, when there are no
    labels, a label has an unknown class, or a file is missing or listed twice.
    """
    if folder.is_file():
        expected = "expected a folder of labelled images"
        raise UserError(f"{folder} is a file, {expected}; `digits predict` reads a single image")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one that holds the images")
    table = folder / TABLE
    images = _from_table(table, classes) if table.is_file() else _from_folders(folder, classes)
    if not images:
        raise UserError(f"{folder}: no labelled image; expected {_expected(classes)}")
    return images


def _expected(classes: list[str]) -> str:
    return f"a {TABLE} with {FORM}, or sub-folders called {classes[0]} to {classes[-1]}"


def _from_folders(folder: Path, classes: list[str]) -> list[LabelledFile]:
    """List the images of a folder with a sub-folder per class."""
    folders = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    for unknown in (p for p in folders if p.name not in classes):
        raise UserError(f"{unknown}: {unknown.name} is no class; expected {_expected(classes)}")
    return [LabelledFile(file, p.name, True) for p in folders for file in list_folder(str(p))]


def _from_table(table: Path, classes: list[str]) -> list[LabelledFile]:
    """List the images of a table."""
    images: dict[Path, LabelledFile] = {}
    for number, row in read_table(table):
        where = f"{table}, line {number}"
        name, label, writer = (row.get(c, "").strip() for c in ("file", "label", "writer"))
        file = table.parent / name
        if not name or not file.is_file():
            raise UserError(f"{where}: no file {str(file)!r}; files are relative to the table")
        if file.resolve() in images:
            raise UserError(f"{where}: {name} is listed twice; remove one of the lines")
        if not is_label(label, classes):
            expected = f"one of {', '.join(classes)}, or several, with / between rows"
            raise UserError(f"{where}: the label is {label!r}; expected {expected}")
        images[file.resolve()] = LabelledFile(str(file), label, label in classes, writer)
    return list(images.values())


def is_label(label: str, classes: list[str]) -> bool:
    """Whether a label is a class, or rows of classes separated by `/`."""
    return label in classes or all(row and set(row) <= set(classes) for row in label.split("/"))


def read_table(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a table with their line numbers; keys are column names in lower case.

    Raises UserError, one line, when the file cannot be read, is not CSV or has other columns.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{table}: {error.strerror}; expected a table with {FORM}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{table} is not UTF-8 ({error.reason}); save it as CSV UTF-8") from error
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
