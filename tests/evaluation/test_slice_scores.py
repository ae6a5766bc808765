"""Scores on labelled files, counted by hand."""

import pytest

from digits.datasets.folder_layout import LabelledFile
from digits.evaluation import slice_scores
from digits.evaluation.slice_scores import ScoredImage

CLASSES = [str(digit) for digit in range(10)]


def scored(label, text, writer="", status="ok"):
    """Return the score of an image with `label` that was read as `text`."""
    labelled = LabelledFile(f"{label}-{text}.png", label, label in CLASSES, writer)
    return ScoredImage(labelled, text, 0.8, status, problem="")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("", "", 0), ("12", "12", 0), ("12", "", 2), ("123", "13", 1), ("kitten", "sitting", 3)],
)
def test_distance_counts_edits(first, second, expected):
    """Insertions, deletions and substitutions count one each."""
    assert slice_scores.edit_distance(first, second) == expected


def test_single_digits_are_scored_by_class_and_writer():
    """Each writer counts equally in the mean; mistakes are listed with the text that was read."""
    images = [scored("1", "1", "Ann"), scored("1", "7", "Ann"), scored("1", "7", "Ann")]
    images += [scored("2", "", "Bob", "no digit"), scored("3", "3", "Cid", "doubtful")]
    numbers = slice_scores.summarize(images, CLASSES)

    assert (numbers["all"]["n"], numbers["all"]["right"], numbers["all"]["accuracy"]) == (5, 2, 0.4)
    assert numbers["all"]["interval"] == pytest.approx([0.117621, 0.769276], abs=1e-6)  # Wilson
    assert "single" not in numbers
    assert "several" not in numbers
    assert list(numbers["classes"]) == ["1", "2", "3"]
    assert numbers["classes"]["1"]["read_as"] == {"7": 2}
    assert numbers["classes"]["2"]["read_as"] == {"": 1}
    accuracies = {name: w["accuracy"] for name, w in numbers["writers"].items()}
    assert accuracies == pytest.approx({"Ann": 1 / 3, "Bob": 0, "Cid": 1}, abs=1e-6)
    assert numbers["writers_mean"] == pytest.approx(4 / 9, abs=1e-6)
    assert numbers["balanced_accuracy"] == pytest.approx((1 / 3 + 0 + 1) / 3, abs=1e-6)
    assert numbers["doubtful"] == {"n": 1, "wrong": 0}
    assert [m["file"] for m in numbers["mistakes"]] == ["1-7.png", "1-7.png", "2-.png"]


def test_several_digits_are_scored_by_text_and_by_digit():
    """A missing row is a wrong text with right digits; each digit too many costs one."""
    pairs = [("5", "5"), ("12/34", "12/34"), ("12/34", "1234"), ("99", "979")]
    images = [scored(*pair) for pair in (*pairs, ("1", "11"), ("2", "2222"))]
    numbers = slice_scores.summarize(images, CLASSES)

    assert numbers["single"]["right"] == 1
    assert (numbers["several"]["n"], numbers["several"]["right"]) == (3, 1)
    assert (numbers["several"]["digits"]["n"], numbers["several"]["digits"]["right"]) == (10, 9)
    assert numbers["all"]["right"] == 2
    assert "writers" not in numbers


def test_the_report_lists_the_first_mistakes():
    """The others are counted; without mistakes there is no list."""
    many, none = (
        slice_scores.format_report(slice_scores.summarize(images, CLASSES))
        for images in ([scored("1", "7")] * (slice_scores.MAX_LISTED + 3), [scored("1", "1")])
    )
    assert many.count("read as") == slice_scores.MAX_LISTED
    assert many.endswith("and 3 more; --json lists all")
    assert none.endswith("0 of them wrong")


def test_words_are_scored_by_name():
    """Labels of several glyphs are JSON lists; each name that is right counts, none is a digit."""
    classes = ["left", "a/b"]
    labelled = LabelledFile("a.png", '["left", "a/b"]', single=False)
    images = [
        ScoredImage(labelled, text, 0.8, "ok", problem="")
        for text in ('["left", "a/b"]', '["left", "left"]')
    ]
    images.append(ScoredImage(LabelledFile("b.png", "left", True), "", 0.0, "no glyph", problem=""))
    numbers = slice_scores.summarize(images, classes)
    assert (numbers["several"]["right"], numbers["several"]["glyphs"]["right"]) == (1, 3)
    report = slice_scores.format_report(numbers)
    assert "digit" not in report
    assert "b.png: left no glyph found" in report
