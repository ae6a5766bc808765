"""Making probabilities mean what they say."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LIMIT = 20.0  # a temperature lies between 1 / LIMIT and LIMIT


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """What to divide `logits`, (n, classes), by, so that probabilities mean what they say.

    It minimises the cross-entropy over `labels`, (n,). Guo et al. 2017 ("On calibration
    of modern neural networks").
    """

    def loss(log_temperature: float) -> float:
        return cross_entropy(logits / math.exp(log_temperature), labels)

    bounds = -math.log(LIMIT), math.log(LIMIT)
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def cross_entropy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Mean negative log likelihood of `labels`, (n,), under `logits`, (n, classes)."""
    rows = log_softmax(logits.astype(np.float64), axis=1)
    return float(-rows[np.arange(len(labels)), labels].mean())
