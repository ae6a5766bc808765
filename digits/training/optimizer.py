"""The optimizer and its learning rate schedule; the steps are taken in `training_loop`."""

from typing import Any

import torch
from torch import nn

from digits.project.params_schema import TrainParams


def build_optimizer(network: nn.Module, train: TrainParams) -> torch.optim.Optimizer:
    """Return AdamW, fused, with weight decay on matrices and kernels alone.

    On a GPU its learning rate is a tensor, so that a recorded step reads the present one.
    Loshchilov and Hutter 2019 ("Decoupled weight decay regularization").
    """
    matrices = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": train.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    device = matrices[0].device
    if device.type != "cuda":
        return torch.optim.AdamW(groups, lr=train.learning_rate, fused=True)
    rate = torch.tensor(train.learning_rate, device=device)
    return torch.optim.AdamW(groups, lr=rate, fused=True, capturable=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load the state dict of an optimizer; the learning rate stays on its device."""
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def learning_rate_at(train: TrainParams, step: int, steps: int) -> float:
    """Return the learning rate of the `step`-th step from 0: linear to the peak, then to 0.

    `steps` is the number per epoch. Smith and Topin 2017 ("Super-convergence").
    """
    total = train.epochs * steps
    warm = max(1.0, train.warmup * total)
    rising, falling = (step + 1) / warm, (total - step) / max(1.0, total - warm)
    return train.learning_rate * min(1.0, rising, falling)
