"""The columns of a table are aligned."""

from digits.project.text_table import format_table


def test_columns_are_aligned():
    """The first column is aligned left, the others right; no line ends with spaces."""
    assert format_table(["", "n"], [["one", "10"], ["three", ""]]) == "        n\none    10\nthree"


def test_chosen_columns_are_aligned_left():
    """Each is as wide as its widest cell."""
    rows = [["a", "1", "because"], ["longer", "100", ""]]

    assert format_table(["name", "n", "why"], rows, left=(0, 2)).splitlines() == [
        "name      n  why",
        "a         1  because",
        "longer  100",
    ]


def test_no_text_controls_the_terminal():
    """Escapes, line ends and undecodable bytes are shown as escapes; letters are unchanged."""
    assert format_table(["ü 数\x1b[2J\n\udcff"], []) == "ü 数\\x1b[2J\\n\\udcff"
