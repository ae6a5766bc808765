"""Tables line up."""

from stages.lib.table import aligned


def test_columns_are_aligned():
    """The first column to the left, the others to the right, no spaces at the ends."""
    assert aligned(["", "n"], [["one", "10"], ["three", ""]]) == "        n\none    10\nthree"


def test_named_columns_stand_to_the_left():
    """As wide as their widest cell."""
    rows = [["a", "1", "because"], ["longer", "100", ""]]

    assert aligned(["name", "n", "why"], rows, left=(0, 2)).splitlines() == [
        "name      n  why",
        "a         1  because",
        "longer  100",
    ]


def test_no_text_steers_the_terminal():
    """What others wrote is shown, not obeyed."""
    assert aligned(["a\x1b[2J\rb\n"], []) == "a?[2J?b?"
