"""Whether two models' accuracies on the same images differ by more than chance.

All functions take `right_a` and `right_b`, (n,): for each of n images, whether model a and
model b classify it correctly, or the share of several seeds' models that do. Images on which
the two are equal carry no information.
"""

import numpy as np
from numpy.typing import NDArray

from digits.evaluation.scores import CONFIDENCE_LEVEL, Ints

RESAMPLES = 20_000  # of the bootstrap; the bounds of 6,000 images then move by 0.02 %
PERMUTATIONS = 100_000

Correctness = NDArray[np.bool_] | NDArray[np.floating]


def mcnemar_p_value(right_a: Correctness, right_b: Correctness) -> float:
    """Return the exact two-sided p-value of "each model is better on equally many images".

    McNemar 1947 ("Note on the sampling error of the difference between correlated
    proportions"), by the binomial distribution, so that few differences need no
    approximation. With shares of seeds it is the sign test. 1 when the models never differ.
    """
    from scipy.special import bdtr  # not installed where a version is only promoted

    a, b = int((right_a > right_b).sum()), int((right_b > right_a).sum())
    # the distribution is symmetric; with a = b both tails have the middle
    return min(1.0, 2 * float(bdtr(min(a, b), a + b, 0.5)))


def difference_interval(
    right_a: Correctness, right_b: Correctness, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of accuracy a minus accuracy b, a fraction.

    Percentile bootstrap over images, which stay paired (Efron and Tibshirani 1993, "An
    introduction to the bootstrap"). A resample is described by how often it draws each
    difference, so it is one draw from a multinomial distribution. The interval is (0, 0)
    when the models never differ, which does not mean that they are equal on other images.
    """
    n = len(right_a)
    kinds, counts = np.unique(right_a.astype(float) - right_b.astype(float), return_counts=True)
    draws = np.random.default_rng(seed).multinomial(n, counts / n, RESAMPLES)
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low, high = np.quantile(draws @ kinds / n, [tail, 1 - tail])
    return float(low), float(high)


def balanced_p_value(right_a: Correctness, right_b: Correctness, labels: Ints, seed: int) -> float:
    """Return the two-sided p-value of "each model has the same mean recall of all classes".

    A paired permutation test (Fisher 1935, "The design of experiments"): if the models are
    equal, each image that one alone classifies correctly could as well have been the other's.
    The statistic is the difference of balanced accuracy, so an image counts the more, the
    fewer its class has. With classes of one size it approximates McNemar's test. 1 when the
    models never differ.
    """
    gained, lost, counts = _discordant(right_a, right_b, labels)
    differing = gained + lost
    observed = abs(((gained - lost) / counts).sum())
    rng, shape = np.random.default_rng(seed), (PERMUTATIONS, len(counts))
    drawn = 2 * rng.binomial(differing, 0.5, shape) - differing
    extreme = int((np.abs((drawn / counts).sum(1)) >= observed - 1e-12).sum())
    return (extreme + 1) / (PERMUTATIONS + 1)


def balanced_interval(
    right_a: Correctness, right_b: Correctness, labels: Ints, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of balanced accuracy a minus that of b, a fraction.

    As `difference_interval`, with images drawn within each class (a stratified bootstrap).
    """
    gained, lost, counts = _discordant(right_a, right_b, labels)
    rng, total = np.random.default_rng(seed), np.zeros(RESAMPLES)
    for won, gone, n in zip(gained, lost, counts, strict=True):
        draws = rng.multinomial(n, [won / n, gone / n, (n - won - gone) / n], RESAMPLES)
        total += (draws[:, 0] - draws[:, 1]) / n
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low, high = np.quantile(total / len(counts), [tail, 1 - tail])
    return float(low), float(high)


def _discordant(
    right_a: Correctness, right_b: Correctness, labels: Ints
) -> tuple[Ints, Ints, Ints]:
    """Return, for each class with images, those that a alone has right, b alone, and all."""
    counts = np.bincount(labels)
    gained = np.bincount(labels, weights=right_a > right_b).astype(int)
    lost = np.bincount(labels, weights=right_b > right_a).astype(int)
    present = counts > 0
    return gained[present], lost[present], counts[present]
