"""Whether one model is better than another on the same pictures, beyond chance.

Both functions take `right_a` and `right_b`, (n,): for each of n pictures, whether model a
and model b label it rightly, or the share of several seeds' models that do. Only pictures
on which the two differ say anything.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from digits.evaluation.scores import CONFIDENCE_LEVEL

RESAMPLES = 20_000  # of the bootstrap; the bounds of 6,000 pictures then move by 0.02 %

Correctness = NDArray[np.bool_] | NDArray[np.floating]


def mcnemar_p_value(right_a: Correctness, right_b: Correctness) -> float:
    """The exact two-sided p-value of "each is better on equally many pictures".

    McNemar 1947 ("Note on the sampling error of the difference between correlated
    proportions"), by the binomial distribution, so that few differences need no
    approximation; with shares of seeds it is the sign test. 1 when the models never differ.
    """
    a, b = int((right_a > right_b).sum()), int((right_b > right_a).sum())
    return float(binomtest(a, a + b).pvalue) if a + b else 1.0


def difference_interval(
    right_a: Correctness, right_b: Correctness, seed: int
) -> tuple[float, float]:
    """The 95 % interval of accuracy a minus accuracy b, a fraction.

    Percentile bootstrap over pictures, which stay paired (Efron and Tibshirani 1993, "An
    introduction to the bootstrap"). A resample is known by how often it draws each kind of
    picture, so it is one draw from a multinomial distribution. Where the models never
    differ it is (0, 0), which says nothing of how they differ elsewhere.
    """
    n = len(right_a)
    kinds, counts = np.unique(right_a.astype(float) - right_b.astype(float), return_counts=True)
    draws = np.random.default_rng(seed).multinomial(n, counts / n, RESAMPLES)
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low, high = np.quantile(draws @ kinds / n, [tail, 1 - tail])
    return float(low), float(high)
