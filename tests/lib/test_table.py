"""Columns stand below each other."""

from stages.lib.table import aligned


def test_columns_are_aligned():
    """The first column to the left, the others to the right, no spaces at the ends."""
    assert aligned(["", "n"], [["one", "10"], ["three", ""]]) == "        n\none    10\nthree"
