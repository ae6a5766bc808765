"""How much an image of each class counts in the loss."""

import torch
from torch import Tensor

from digits.project.params_schema import TrainParams


def class_weights(train: TrainParams, labels: Tensor, classes: int) -> Tensor | None:
    """Return a weight for each class, float32 (classes,), on the device of `labels` (n,).

    None if `train` balances nothing.

    With "weights" all classes together count as they did, and each as much as any other. A class
    without images has the weight 1.
    """
    if train.balance == "none":
        return None
    counts = torch.bincount(labels, minlength=classes)
    each = len(labels) / torch.count_nonzero(counts)
    return torch.where(counts > 0, each / counts.clamp(min=1), 1.0).float()
