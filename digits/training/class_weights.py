"""How much an image of each class counts in the loss."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from digits.project.params_schema import TrainParams


def class_weights(train: TrainParams, labels: NDArray[np.int64], classes: int) -> Tensor | None:
    """Return a weight for each class, float32 (classes,); None if `train` balances nothing.

    With "weights" all classes together count as they did, and each as much as any other. A class
    without images has the weight 1.
    """
    if train.balance == "none":
        return None
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    weights = np.where(counts, len(labels) / (present * np.maximum(counts, 1)), 1.0)
    return torch.from_numpy(weights.astype(np.float32))
