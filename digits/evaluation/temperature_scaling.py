"""Temperature scaling: divide logits by one number so that probabilities are calibrated.

The calibration error itself is in `scores`.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

LIMIT = 20.0  # a temperature lies between 1 / LIMIT and LIMIT


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature that minimizes the cross-entropy of `labels` (n,).

    Divide `logits` (n, classes) by it. Guo et al. 2017 ("On calibration of modern neural
    networks"). Without a mistake there is nothing to learn from, and it is 1: the lower it were,
    the better it would look.
    """
    if (logits.argmax(1) == labels).all():
        return 1.0
    from scipy.optimize import minimize_scalar  # 0.5 s, that a trial does without

    def loss(log_temperature: float) -> float:
        return cross_entropy(logits / math.exp(log_temperature), labels)

    bounds = -math.log(LIMIT), math.log(LIMIT)
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def cross_entropy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean negative log likelihood of `labels` (n,) under `logits` (n, classes)."""
    likelihood = log_softmax(logits.astype(np.float64), axis=1)
    return float(-likelihood[np.arange(len(labels)), labels].mean())
