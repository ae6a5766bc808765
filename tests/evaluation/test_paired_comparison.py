"""Two models scored on the same images."""

import pytest

from digits.datasets import split_files
from digits.evaluation import paired_comparison, significance
from digits.inference import classifier


@pytest.fixture
def validation(workspace):
    """500 images of MNIST."""
    return split_files.load(workspace / "data/splits/validation.npz")


def test_both_models_are_scored_on_the_same_images(variants, validation):
    """The counts agree with the predictions of each model alone."""
    comparison, _ = paired_comparison.compare_models(variants["good"], variants["poor"], validation)
    good, poor = (
        classifier.load(variants[name]).logits(validation.images).argmax(1) == validation.labels
        for name in ("good", "poor")
    )

    correct = (comparison.candidate.correct, comparison.champion.correct)
    assert (comparison.n, *correct) == (500, good.sum(), poor.sum())
    assert comparison.gained - comparison.lost == good.sum() - poor.sum()
    assert comparison.p_value == significance.mcnemar_p_value(good, poor)
    threes = validation.labels == 3
    assert comparison.candidate.recall[3] == pytest.approx(good[threes].mean(), abs=1e-6)
