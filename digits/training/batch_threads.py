"""A batch in parts, each on a thread of its own.

A small convolution is too little work to be divided among threads: they wait for each other
a hundred times per step, and whoever has to share its core with another program makes all
wait. Parts of a batch meet once per step. On two cores the convolutional network's epoch
took 3.2 times as long beside a busy program when divided, 1.7 times in parts.

Batch normalisation sees its part alone (Hoffer et al. 2017, "Train longer, generalize
better"). Sums are made in the order of the parts, so the result does not depend on who was
faster, nor on the number of threads.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import torch
from torch import Tensor, nn

from digits.training.networks import Dropout

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


class BatchThreads:
    """Copies of a network with its very weights, and threads to run them."""

    def __init__(self, network: nn.Module, count: int, threads: int) -> None:
        self.network = network
        self.weights = list(network.parameters())
        kept = {id(weight): weight for weight in self.weights}
        self.copies = [deepcopy(network, dict(kept)) for _ in range(count)]
        # one thread of OpenMP in each of ours
        self.pool = ThreadPoolExecutor(min(threads, count), "shard", torch.set_num_threads, (1,))

    def begin(self, generators: Sequence[torch.Generator]) -> None:
        """Take up the network's state; copy `i` draws what dropout needs from generator `i`."""
        for copy, generator in zip(self.copies, generators, strict=True):
            copy.load_state_dict(self.network.state_dict())
            copy.train()
            for layer in copy.modules():
                if isinstance(layer, Dropout):
                    layer.generator = generator

    def backward(self, loss: Loss, pictures: Tensor, labels: Tensor) -> Tensor:
        """Set the weights' gradients to those of the mean `loss` of the batch; the loss.

        `loss(network, pictures, labels)` is the mean of some of the pictures.
        """
        count = len(self.copies)
        parts = zip(pictures.tensor_split(count), labels.tensor_split(count), strict=True)

        def work(copy: nn.Module, part: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
            share = len(part[1]) / len(labels)
            mean = loss(copy, *part) * share
            return mean.detach(), *torch.autograd.grad(mean, self.weights)

        total, *gradients = _sum_columns(list(self.pool.map(work, self.copies, parts)))
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = gradient
        self._meet()
        return total

    @torch.no_grad()
    def _meet(self) -> None:
        """Give the network and its copies the mean of what the copies saw of their pictures."""
        for buffer, *others in zip(
            self.network.buffers(), *(copy.buffers() for copy in self.copies), strict=True
        ):
            if buffer.is_floating_point():
                buffer.copy_(torch.stack(others).mean(0))
                torch._foreach_copy_(others, [buffer] * len(others))
            else:
                buffer.copy_(others[0])


def _sum_columns(rows: list[tuple[Tensor, ...]]) -> list[Tensor]:
    """The sum of each column, in the order of the rows; the first row is changed."""
    total = list(rows[0])
    for row in rows[1:]:
        torch._foreach_add_(total, list(row))
    return total
