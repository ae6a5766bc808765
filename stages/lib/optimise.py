"""How weights move: the optimiser, its learning rate, and the average of the weights."""

import torch
from torch import nn

from stages.lib import schema


def optimiser(network: nn.Module, train: schema.Train) -> torch.optim.Optimizer:
    """AdamW, fused; only matrices and kernels decay.

    Loshchilov and Hutter 2019 ("Decoupled weight decay regularization").
    """
    matrices = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": train.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=train.learning_rate, fused=True)


def learning_rate(train: schema.Train, step: int, steps: int) -> float:
    """The rate of the `step`-th step from 0: linear to the peak, then linear to 0.

    `steps` is the number per epoch. Smith and Topin 2017 ("Super-convergence").
    """
    total = train.epochs * steps
    warm = max(1.0, train.warmup * total)
    rising, falling = (step + 1) / warm, (total - step) / max(1.0, total - warm)
    return train.learning_rate * min(1.0, rising, falling)


@torch.no_grad()
def average(averaged: nn.Module, network: nn.Module, ema: float, step: int) -> None:
    """Move the `averaged` weights towards those of `network`, which has made `step` steps.

    Both are moving averages with decay `ema`, batch normalisation's statistics too; the
    first steps move them further, so that the random start is soon forgotten. Polyak and
    Juditsky 1992 ("Acceleration of stochastic approximation by averaging").
    """
    decay = min(ema, (1 + step) / (10 + step))
    ours, theirs = averaged.state_dict(), network.state_dict()
    names = [name for name, tensor in ours.items() if tensor.is_floating_point()]
    torch._foreach_lerp_([ours[n] for n in names], [theirs[n] for n in names], 1 - decay)
