"""Two models side by side: the same pictures."""

import pytest

from digits.datasets import split_files
from digits.evaluation import paired_comparison, significance
from digits.inference import classifier


@pytest.fixture
def validation(workspace):
    """500 real pictures."""
    return split_files.load(workspace / "data/splits/validation.npz")


def test_both_models_are_scored_on_the_same_pictures(variants, validation):
    """The counts are those of the two models' own answers."""
    found, _ = paired_comparison.compare_models(variants["good"], variants["poor"], validation)
    good, poor = (
        classifier.load(variants[name]).logits(validation.images).argmax(1) == validation.labels
        for name in ("good", "poor")
    )

    assert (found.n, found.candidate.correct, found.champion.correct) == (
        500,
        good.sum(),
        poor.sum(),
    )
    assert found.gained - found.lost == good.sum() - poor.sum()
    assert found.p_value == significance.mcnemar_p_value(good, poor)
    threes = validation.labels == 3
    assert found.candidate.recall[3] == pytest.approx(good[threes].mean(), abs=1e-6)
