"""How the names of classes are called and written: one, several, and in rows.

Where every name is a single character, and none is "/", the labels of several glyphs are one
text, with "/" between rows: `12/34`. Elsewhere they are a JSON list: `["left", "right"]`, with a
list for each row if there are several.
"""

import json
import unicodedata
from collections.abc import Sequence
from itertools import groupby

DIGITS = [str(digit) for digit in range(10)]
Labels = list[str] | list[list[str]]


def are_digits(classes: Sequence[str]) -> bool:
    """Return whether the classes are the ten digits."""
    return sorted(classes) == DIGITS


def can_be_shown(name: str) -> bool:
    """Return whether a name has something to show, and no character that controls a terminal."""
    hidden = {"Cc", "Cs", "Cn", "Zl", "Zp"}
    return bool(name.strip()) and hidden.isdisjoint(map(unicodedata.category, name))


def noun(classes: Sequence[str]) -> str:
    """Return what a person calls one thing of these classes that is read: a digit or a glyph."""
    return "digit" if are_digits(classes) else "glyph"


def are_characters(classes: Sequence[str]) -> bool:
    """Return whether labels of several glyphs can be one text."""
    return all(len(name) == 1 and name != "/" for name in classes)


def join_labels(labels: Sequence[str], rows: Sequence[int], classes: Sequence[str]) -> str:
    """Return labels as a text, `rows` being the line of each; one label is its own text."""
    if len(labels) == 1:
        return labels[0]
    lines = [
        [label for _, label in row] for _, row in groupby(zip(rows, labels, strict=True), _row)
    ]
    if are_characters(classes):
        return "/".join("".join(line) for line in lines)
    listed: Labels = lines if len(lines) > 1 else [label for line in lines for label in line]
    return json.dumps(listed, ensure_ascii=False) if labels else ""


def _row(pair: tuple[int, str]) -> int:
    return pair[0]


def parse_labels(text: str, classes: Sequence[str]) -> list[list[str]]:
    """Return the rows of labels that `join_labels` made a text of; none if it is no such text."""
    if text in classes:
        return [[text]]
    joined = are_characters(classes)
    rows = [list(row) for row in text.split("/")] if joined else _parse_lists(text)
    return rows if rows and all(row and set(row) <= set(classes) for row in rows) else []


def _parse_lists(text: str) -> list[list[str]]:
    """Return a JSON list of names, or of lists of names, as rows; none for anything else."""
    try:
        listed = json.loads(text)
    except ValueError:
        return []
    rows = listed if isinstance(listed, list) else []
    if all(isinstance(name, str) for name in rows):
        rows = [rows]
    is_rows = all(isinstance(row, list) and all(isinstance(e, str) for e in row) for row in rows)
    return rows if is_rows else []


def is_label(text: str, classes: Sequence[str]) -> bool:
    """Return whether a text is a class, or labels of several glyphs."""
    return bool(parse_labels(text, classes))


def canonical_label(text: str, classes: Sequence[str]) -> str:
    """Return labels as `join_labels` writes them."""
    rows = parse_labels(text, classes)
    labels = [label for row in rows for label in row]
    return join_labels(labels, [i for i, row in enumerate(rows) for _ in row], classes)


def split_text(text: str, classes: Sequence[str]) -> str | Labels:
    """Return a text of `join_labels` for JSON: a list where it is one, else the text itself."""
    rows = parse_labels(text, classes)
    if text in classes or are_characters(classes) or not rows:
        return text
    return rows if len(rows) > 1 else rows[0]


def shorten(name: str, length: int) -> str:
    """Return a name of at most `length` characters, its end replaced by an ellipsis."""
    return name if len(name) <= length else f"{name[: length - 1].rstrip()}…"
