"""How much images count."""

import torch
from torch.nn.functional import cross_entropy

from digits.project import params_file
from digits.training.training_step import class_weights


def test_each_class_counts_alike(values):
    """The weights of all images of a class add up to the same; without balance there are none."""
    train = params_file.check_params(values, "test").train
    labels = torch.tensor([0] * 6 + [1] * 2 + [3])
    assert class_weights(train, labels, 4) is None
    balanced = train.model_copy(update={"balance": "weights"})
    weights = class_weights(balanced, labels, 4)
    torch.testing.assert_close(
        weights[[0, 1, 3]] * torch.tensor([6.0, 2, 1]), torch.full((3,), 3.0)
    )
    logits = torch.zeros((9, 4))
    whole = cross_entropy(logits, labels, weight=weights, reduction="sum") / 9
    torch.testing.assert_close(whole, cross_entropy(logits, labels))
