"""Numbers from marks: counted by hand here."""

import pytest

from digits.datasets.labelled_folder import LabelledFile
from digits.evaluation import slice_scores
from digits.evaluation.slice_scores import ScoredImage

CLASSES = [str(digit) for digit in range(10)]


def mark(label, said, writer="", status="ok", problem=""):
    """A picture with `label` that was read as `said`."""
    picture = LabelledFile(f"{label}-{said}.png", label, label in CLASSES, writer)
    return ScoredImage(picture, said, 0.8, status, problem)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("", "", 0), ("12", "12", 0), ("12", "", 2), ("123", "13", 1), ("kitten", "sitting", 3)],
)
def test_distance_counts_edits(one, other, expected):
    """Insertions, deletions and substitutions."""
    assert slice_scores.edit_distance(one, other) == expected


def test_single_digits_are_scored_by_class_and_writer():
    """Each writer counts alike in the mean; mistakes are told with what was read."""
    marks = [mark("1", "1", "Ann"), mark("1", "7", "Ann"), mark("1", "7", "Ann")]
    marks += [mark("2", "", "Bob", "no digit"), mark("3", "3", "Cid", "doubtful")]
    found = slice_scores.summarize(marks, CLASSES)

    assert (found["all"]["n"], found["all"]["right"], found["all"]["accuracy"]) == (5, 2, 0.4)
    assert found["all"]["interval"] == pytest.approx([0.117621, 0.769276], abs=1e-6)  # Wilson
    assert "single" not in found
    assert "several" not in found
    assert list(found["classes"]) == ["1", "2", "3"]
    assert found["classes"]["1"]["read_as"] == {"7": 2}
    assert found["classes"]["2"]["read_as"] == {"": 1}
    assert {name: w["accuracy"] for name, w in found["writers"].items()} == {
        "Ann": pytest.approx(1 / 3, abs=1e-6),
        "Bob": 0,
        "Cid": 1,
    }
    assert found["writers_mean"] == pytest.approx((1 / 3 + 0 + 1) / 3, abs=1e-6)
    assert found["doubtful"] == {"n": 1, "wrong": 0}
    assert [m["file"] for m in found["mistakes"]] == ["1-7.png", "1-7.png", "2-.png"]


def test_several_digits_are_scored_by_text_and_by_digit():
    """A row too few is a wrong text with right digits; each digit too many costs one."""
    marks = [mark("5", "5"), mark("12/34", "12/34"), mark("12/34", "1234"), mark("99", "979")]
    marks += [mark("1", "11"), mark("2", "2222")]
    found = slice_scores.summarize(marks, CLASSES)

    assert found["single"]["right"] == 1
    assert (found["several"]["n"], found["several"]["right"]) == (3, 1)
    assert (found["several"]["digits"]["n"], found["several"]["digits"]["right"]) == (10, 9)
    assert found["all"]["right"] == 2
    assert "writers" not in found


def test_many_mistakes_are_not_all_told():
    """The first are named, the others counted; without any there is no list."""
    told = slice_scores.format_report(
        slice_scores.summarize([mark("1", "7")] * (slice_scores.MAX_LISTED + 3), CLASSES)
    )

    assert told.count("read as") == slice_scores.MAX_LISTED
    assert told.endswith("and 3 more; --json names all")
    assert slice_scores.format_report(slice_scores.summarize([mark("1", "1")], CLASSES)).endswith(
        "0 of them wrong"
    )
