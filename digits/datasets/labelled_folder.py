"""Pictures that somebody labelled: a table `file,label[,writer]`, or a sub-folder per class."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from digits.datasets import image_files
from digits.project.errors import UserError

TABLE = "labels.csv"
FORM = "columns `file,label` and, if wanted, `writer`"


@dataclass(frozen=True)
class LabelledFile:
    """A picture file, what is written on it (`/` between rows), and by whom (may be empty).

    `single`: the label is one class, not several.
    """

    file: str
    label: str
    single: bool
    writer: str = ""


def read_labels(folder: Path, classes: list[str]) -> list[LabelledFile]:
    """The labelled pictures of `folder`: by its labels.csv, or by its sub-folders.

    Files in a table are relative to the folder. Raises UserError, one line: no labels, a label
    that is no class, a file that is missing or listed twice.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one that holds the pictures")
    table = folder / TABLE
    found = _listed_in(table, classes) if table.is_file() else _sorted_in(folder, classes)
    if not found:
        raise UserError(f"{folder}: no labelled picture; expected {_expected(classes)}")
    return found


def _expected(classes: list[str]) -> str:
    return f"a {TABLE} with {FORM}, or sub-folders called {classes[0]} to {classes[-1]}"


def _sorted_in(folder: Path, classes: list[str]) -> list[LabelledFile]:
    """Pictures in a sub-folder per class."""
    inside = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    for unknown in (p for p in inside if p.name not in classes):
        raise UserError(f"{unknown}: {unknown.name} is no class; expected {_expected(classes)}")
    return [
        LabelledFile(file, p.name, True) for p in inside for file in image_files.list_folder(str(p))
    ]


def _listed_in(table: Path, classes: list[str]) -> list[LabelledFile]:
    """Pictures in a table."""
    found: dict[Path, LabelledFile] = {}
    for number, row in read_table(table):
        where = f"{table}, line {number}"
        name, label, writer = (row.get(c, "").strip() for c in ("file", "label", "writer"))
        file = table.parent / name
        if not name or not file.is_file():
            raise UserError(f"{where}: no file {str(file)!r}; files are relative to the table")
        if file.resolve() in found:
            raise UserError(f"{where}: {name} is listed twice; remove one of the lines")
        if not is_label(label, classes):
            expected = f"one of {', '.join(classes)}, or several, with / between rows"
            raise UserError(f"{where}: the label is {label!r}; expected {expected}")
        found[file.resolve()] = LabelledFile(str(file), label, label in classes, writer)
    return list(found.values())


def is_label(label: str, classes: list[str]) -> bool:
    """Whether a label is a class, or rows of classes separated by `/`."""
    return label in classes or all(row and set(row) <= set(classes) for row in label.split("/"))


def read_table(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a table with their numbers, by the lower-case names of its columns.

    Raises UserError, one line: a file that cannot be read, is no CSV or has other columns.
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
