"""Splits are stratified and seeded; what cannot be divided is named in one line."""

import numpy as np
import pytest

from digits.datasets.image_source import SourceImages
from digits.datasets.stratified_split import divide
from digits.preprocessing.image_format import MNIST
from digits.project.errors import UserError
from digits.project.params_schema import SplitParams

SPLIT = SplitParams(validation_share=0.1, seed=1)


def source(labels, parts=None, groups=None):
    """A source of black images with these labels."""
    n, names = len(labels), tuple(sorted(map(str, set(labels))))
    rest = {"names": list(map(str, range(n))), "sizes": np.zeros((n, 2), np.int64)}
    return SourceImages(
        np.zeros((n, 28, 28), np.uint8),
        np.array([names.index(str(label)) for label in labels]),
        names,
        MNIST,
        np.array(parts if parts is not None else [""] * n),
        np.array(groups if groups is not None else [""] * n),
        **rest,
    )


def test_the_official_parts_stay_and_a_tenth_of_each_class_is_validation(official):
    """MNIST's 60,000 are divided as they always were; the test part is not touched."""
    labels = [*official.labels.tolist(), *range(10)]
    indices = divide(source(labels, ["train"] * 60_000 + ["test"] * 10), "official", SPLIT)

    counts = np.bincount(official.labels[indices["validation"]])
    assert counts.tolist() == [592, 674, 596, 613, 584, 542, 592, 627, 585, 595]
    assert indices["validation"][:3].tolist() == [8, 9, 11]
    assert indices["test"].tolist() == list(range(60_000, 60_010))


def test_a_share_is_stratified_and_the_seed_decides():
    """Of two classes of unequal size a fifth each is for the test; equal seeds, equal splits."""
    images = source(["a"] * 200 + ["b"] * 40)
    seeds = [divide(images, 0.2, SplitParams(validation_share=0.1, seed=s)) for s in (1, 1, 2)]

    assert np.bincount(images.labels[seeds[0]["test"]]).tolist() == [40, 8]
    assert [np.array_equal(s["test"], seeds[0]["test"]) for s in seeds] == [True, True, False]


def test_groups_stay_whole_and_the_classes_keep_their_shares():
    """Each group is in one split, and about a fifth of each class is for the test."""
    groups = [f"g{i % 60}" for i in range(1200)]
    images = source([("a", "b", "c")[(i % 60) % 3] for i in range(1200)], groups=groups)
    indices = divide(images, 0.2, SPLIT)

    split_of = [{images.groups[i] for i in part} for part in indices.values()]
    assert not split_of[0] & split_of[1]
    assert not (split_of[0] | split_of[1]) & split_of[2]
    assert np.abs(np.bincount(images.labels[indices["test"]]) / 400 - 0.2).max() < 0.06


@pytest.mark.parametrize(
    ("labels", "parts", "groups", "test", "words"),
    [
        (["a"] * 9, None, None, 0.2, r"the source has one class \(a\)"),
        (["a"] * 9 + ["b"], None, None, 0.2, "class b has too few images .*: 1 to divide"),
        (["a"] * 20 + ["b"] * 3, None, None, 0.2, "class b has (no|too few) image"),
        (
            ["a", "b"] * 10,
            None,
            [("x", "y")[i % 2] for i in range(20)],
            0.2,
            "class . has too few groups .*: 1 to divide by data.test",
        ),
        (["a", "b"] * 10, None, None, "official", "data.test is official, .* no test images"),
        (
            ["a", "b"] * 10 + ["c"],
            ["train"] * 20 + ["test"],
            None,
            "official",
            "class c has images in the test or validation alone",
        ),
        (
            ["a", "b"] * 20,
            ["train"] * 20 + ["validation"] * 10 + ["test"] * 10,
            [f"g{i // 15}" for i in range(40)],
            "official",
            "group g1 has images in train and in validation",
        ),
    ],
)
def test_what_cannot_be_divided_is_named_in_one_line(labels, parts, groups, test, words):
    """The class or the group, what was found, and what to do."""
    with pytest.raises(UserError, match=rf"^[^\n]*{words}[^\n]*$"):
        divide(source(labels, parts, groups), test, SPLIT)
