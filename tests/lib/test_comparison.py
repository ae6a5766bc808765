"""Two models side by side: the same pictures, the same clock."""

import json
import shutil

import onnx
import pytest

from stages.lib import classifier, comparison, dataset, files, paired
from stages.lib.comparison import IncomparableError


@pytest.fixture
def validation(workspace):
    """500 real pictures."""
    return dataset.load(workspace / "data/splits/validation.npz")


def test_both_models_are_scored_on_the_same_pictures(variants, validation):
    """The counts are those of the two models' own answers."""
    found = comparison.contest(variants["good"], variants["poor"], validation)
    good, poor = (
        classifier.load(variants[name]).logits(validation.images).argmax(1) == validation.labels
        for name in ("good", "poor")
    )

    assert (found.n, found.candidate.right, found.champion.right) == (500, good.sum(), poor.sum())
    assert found.gained - found.lost == good.sum() - poor.sum()
    assert found.p == paired.mcnemar(good, poor)
    threes = validation.labels == 3
    assert found.candidate.recall[3] == pytest.approx(good[threes].mean(), abs=1e-6)


def test_the_slower_model_is_slower(variants, validation):
    """Nine views of a picture take longer than one, in whichever turn."""
    folders = [variants["slow"], variants["good"]]
    slow, fast = comparison.latencies(folders, validation.images[:1])
    first, second = comparison.latencies(folders[::-1], validation.images[:1])

    assert slow > 3 * fast
    assert second > 3 * first


def test_models_of_other_classes_are_not_compared(variants, validation, tmp_path):
    """A model that tells letters apart has nothing in common with one of digits."""
    other = tmp_path / "other"
    shutil.copytree(variants["good"], other)
    graph = onnx.load(other / "model.onnx")
    (names,) = [p for p in graph.metadata_props if p.key == "classes"]
    names.value = json.dumps(list("abcdefghij"))
    onnx.save(graph, other / "model.onnx")
    files.write_manifest(other, {})
    with pytest.raises(IncomparableError, match=r"name other classes \(a, b, .* and 0, 1"):
        comparison.contest(other, variants["good"], validation)
