"""How labels are written."""

import pytest

from digits.preprocessing import class_names

DIGITS = class_names.DIGITS
WORDS = ["left", "right", "a/b"]


@pytest.mark.parametrize(
    ("labels", "rows", "classes", "text"),
    [
        ("12", [0, 0], DIGITS, "12"),
        ("123", [0, 0, 1], DIGITS, "12/3"),
        ("", [], DIGITS, ""),
        (["left"], [0], WORDS, "left"),
        (["a/b"], [0], WORDS, "a/b"),
        (["left", "a/b"], [0, 0], WORDS, '["left", "a/b"]'),
        (["left", "a/b"], [0, 1], WORDS, '[["left"], ["a/b"]]'),
        ([], [], WORDS, ""),
        (["Ä", "字"], [0, 0], ["Ä", "字"], "Ä字"),
        (["/", "x"], [0, 0], ["/", "x"], '["/", "x"]'),
    ],
)
def test_labels_become_one_text(labels, rows, classes, text):
    """Characters are joined, other names are a JSON list, and one label is itself."""
    assert class_names.join_labels(list(labels), rows, classes) == text


def test_lists_are_lists_in_json():
    """Only a text that is a list of labels becomes one."""
    assert class_names.split_text('["left", "a/b"]', WORDS) == ["left", "a/b"]
    assert class_names.split_text('["x"]', ['["x"]', "left"]) == '["x"]'
    assert class_names.split_text("12/3", DIGITS) == "12/3"
    assert class_names.noun(DIGITS[::-1]) == "digit"
    assert class_names.noun(["a", "b"]) == "glyph"


@pytest.mark.parametrize(
    ("text", "classes", "rows"),
    [
        ("12/3", DIGITS, [["1", "2"], ["3"]]),
        ("12//3", DIGITS, []),
        ("1x", DIGITS, []),
        ("", DIGITS, []),
        ("a/b", WORDS, [["a/b"]]),
        ('[ "left","a/b"]', WORDS, [["left", "a/b"]]),
        ('[["left"], ["a/b"]]', WORDS, [["left"], ["a/b"]]),
        ('["left", "up"]', WORDS, []),
        ('[["left"], "right"]', WORDS, []),
        ("[]", WORDS, []),
        ("[1]", WORDS, []),
        ("leftright", WORDS, []),
    ],
)
def test_labels_are_parsed_as_they_are_written(text, classes, rows):
    """Other texts are no labels; what is parsed is written in one way."""
    assert class_names.parse_labels(text, classes) == rows
    assert class_names.is_label(text, classes) == bool(rows)
    if rows:
        written = class_names.canonical_label(text, classes)
        assert class_names.parse_labels(written, classes) == rows
