"""Tables line up."""

from digits.project.text_table import format_table


def test_columns_are_aligned():
    """The first column to the left, the others to the right, no spaces at the ends."""
    assert format_table(["", "n"], [["one", "10"], ["three", ""]]) == "        n\none    10\nthree"


def test_named_columns_stand_to_the_left():
    """As wide as their widest cell."""
    rows = [["a", "1", "because"], ["longer", "100", ""]]

    assert format_table(["name", "n", "why"], rows, left=(0, 2)).splitlines() == [
        "name      n  why",
        "a         1  because",
        "longer  100",
    ]


def test_no_text_steers_the_terminal():
    """Escapes, ends of lines and undecodable bytes are written out; letters are not."""
    assert format_table(["ü 数\x1b[2J\n\udcff"], []) == "ü 数\\x1b[2J\\n\\udcff"
