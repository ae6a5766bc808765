"""Dropout whose random numbers each thread draws from a generator of its own."""

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zero each input with a probability in training, drawn from a generator of its own.

    torch's layer draws from one generator for all threads, in the order in which they come.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.keep = 1 - probability
        self.generator: torch.Generator | None = None  # None: torch's global one

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape to the same shape, with the same mean."""
        if not self.training:
            return values
        mask = torch.empty_like(values).bernoulli_(self.keep, generator=self.generator)
        return values * mask / self.keep
