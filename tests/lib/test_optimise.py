"""How weights move."""

import pytest
import torch
from stages.lib.optimise import average, learning_rate, optimiser
from torch import nn

from stages.lib import params


def test_the_rate_rises_and_falls(values):
    """It climbs to the peak during warm-up, then falls in a straight line to nearly 0."""
    values["train"] |= {"epochs": 10, "warmup": 0.2, "learning_rate": 0.01}
    train = params.check(values, "test").train
    rates = [learning_rate(train, step, 10) for step in range(100)]
    assert max(rates) == rates[19] == rates[20] == 0.01
    assert rates[0] == pytest.approx(0.0005)
    assert rates[-1] == pytest.approx(0.01 / 80)
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)


def test_only_matrices_decay(values):
    """Biases and batch normalisation are spared the weight decay."""
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    train = params.check(values, "test").train.model_copy(update={"weight_decay": 0.3})
    decay = {
        id(p): g["weight_decay"]
        for g in optimiser(network, train).param_groups
        for p in g["params"]
    }
    assert {name: decay[id(p)] for name, p in network.named_parameters()} == {
        name: 0.3 if name in ("0.weight", "3.weight") else 0.0
        for name, _ in network.named_parameters()
    }


def test_the_average_follows_the_weights():
    """Early steps count more, later ones with the stated decay; counters stay out of it."""
    averaged, network = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    nn.init.constant_(averaged.weight, 0.0)
    average(averaged, network, ema=0.9, step=1)
    assert averaged.weight.tolist() == pytest.approx([1 - 2 / 11] * 3)
    nn.init.constant_(averaged.weight, 0.0)
    network.running_mean.fill_(2.0)
    average(averaged, network, ema=0.9, step=10_000)
    assert averaged.weight.tolist() == pytest.approx([0.1] * 3)
    assert averaged.running_mean.tolist() == pytest.approx([0.2] * 3)
    assert averaged.num_batches_tracked.dtype == torch.int64
