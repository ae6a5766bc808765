"""Mark predictions as doubtful where the glyph may be no digit at all."""

import numpy as np
from numpy.typing import NDArray

# Of the largest probability. `python -m tests.bench.bench_reject` prints, for the MLP, how many
# fall below: 1.5 % of the validation digits, 49 % of printed letters that look like no digit,
# 60 % of scribbles. At 0.95 it would be 1.9 %, 61 % and 73 %.
DOUBT_THRESHOLD = 0.9


def is_doubtful(probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which of n glyphs may be no digit, (n,), by calibrated probabilities (n, classes).

    The measure is the largest probability: Hendrycks and Gimpel 2017 ("A baseline for detecting
    misclassified and out-of-distribution examples in neural networks").
    """
    return np.asarray(probabilities.max(1, initial=0) < DOUBT_THRESHOLD)
