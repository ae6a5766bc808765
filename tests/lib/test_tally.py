"""Numbers from marks: counted by hand here."""

import pytest

from stages.lib import tally
from stages.lib.labelled import Labelled
from stages.lib.tally import Marked

CLASSES = [str(digit) for digit in range(10)]


def mark(label, said, writer="", status="ok", problem=""):
    """A picture with `label` that was read as `said`."""
    picture = Labelled(f"{label}-{said}.png", label, label in CLASSES, writer)
    return Marked(picture, said, 0.8, status, problem)


def test_single_digits_are_scored_by_class_and_writer():
    """Each class and writer has its share; mistakes are told."""
    marks = [mark("1", "1", "Ann"), mark("1", "7", "Ann"), mark("1", "7", "Ann")]
    marks += [mark("2", "", "Bob", "no digit"), mark("3", "3", "Cid", "doubtful")]
    found = tally.numbers(marks, CLASSES)

    assert (found["all"]["n"], found["all"]["right"], found["all"]["accuracy"]) == (5, 2, 0.4)
    assert found["all"]["interval"] == pytest.approx([0.117621, 0.769276], abs=1e-6)  # Wilson
    assert "single" not in found
    assert "several" not in found
    assert list(found["classes"]) == ["1", "2", "3"]
    assert {name: w["accuracy"] for name, w in found["writers"].items()} == {
        "Ann": pytest.approx(1 / 3, abs=1e-6),
        "Bob": 0,
        "Cid": 1,
    }
    assert found["doubtful"] == {"n": 1, "wrong": 0}
    assert [m["file"] for m in found["mistakes"]] == ["1-7.png", "1-7.png", "2-.png"]


def test_several_digits_are_scored_as_a_whole():
    """A row too few, or a digit too many, is a wrong text."""
    marks = [mark("5", "5"), mark("12/34", "12/34"), mark("12/34", "1234"), mark("99", "979")]
    marks += [mark("1", "11"), mark("2", "2222")]
    found = tally.numbers(marks, CLASSES)

    assert found["single"]["right"] == 1
    assert (found["several"]["n"], found["several"]["right"]) == (3, 1)
    assert found["all"]["right"] == 2
    assert "writers" not in found


def test_people_get_a_table_and_each_mistake():
    """The shares with their intervals, then what went wrong."""
    marks = [mark("1", "7", "Ann"), mark("12", "12", "Bob"), mark("3", "", "Ann", "no digit")]
    marks += [mark("4", "9", "Ann", "doubtful"), mark("5", "", "Bob", "error", "5.png: no picture")]
    found = tally.numbers(marks, CLASSES)
    told = tally.report(found).splitlines()

    assert told[0].split() == ["n", "right", "accuracy", "95", "%", "interval"]
    starts = ["pictures", "  of one digit", "  of several digits"]
    starts += ["class 1", "class 3", "class 4", "class 5"]
    starts += ["Ann", "Bob", "", "1 picture", "", "1-7"]
    for start, line in zip(starts, told[1:], strict=False):
        assert line.startswith(start)
    assert told[-4:] == [
        "1-7.png: 1 read as 7 (80.0%)",
        "3-.png: 3 no digit found",
        "4-9.png: 4 read as 9 (80.0%, doubtful)",
        "5-.png: 5 cannot be read",
    ]


def test_many_mistakes_are_not_all_told():
    """The first are named, the others counted; without any there is no list."""
    told = tally.report(tally.numbers([mark("1", "7")] * (tally.NAMED + 3), CLASSES))

    assert told.count("read as") == tally.NAMED
    assert told.endswith("and 3 more; --json names all")
    assert tally.report(tally.numbers([mark("1", "1")], CLASSES)).endswith("0 of them wrong")
