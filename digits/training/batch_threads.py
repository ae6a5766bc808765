"""Train on the parts of a batch in parallel, each on a thread of its own.

Dividing each operation among threads makes them wait for each other many times per step, and
when one shares its core with another program, all wait. Parts of a batch meet once per step.
tests/bench/bench_epoch.py prints how much longer an epoch takes beside a busy program.

Batch normalization sees its part alone (Hoffer et al. 2017, "Train longer, generalize better").
Sums are made in the order of the parts, so the result depends neither on which thread is faster
nor on the number of threads.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import torch
from torch import Tensor, nn

from digits.training.dropout import Dropout

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


class BatchThreads:
    """Copies of a network that share its weights, and threads to run them."""

    def __init__(self, network: nn.Module, count: int, threads: int) -> None:
        self.network = network
        self.weights = list(network.parameters())
        shared = {id(weight): weight for weight in self.weights}
        self.copies = [deepcopy(network, dict(shared)) for _ in range(count)]
        # each thread runs its operations alone: OpenMP adds none
        self.pool = ThreadPoolExecutor(min(threads, count), "shard", torch.set_num_threads, (1,))

    def begin_epoch(self, generators: Sequence[torch.Generator]) -> None:
        """Copy the network's state; dropout of copy `i` draws from generator `i`."""
        for copy, generator in zip(self.copies, generators, strict=True):
            copy.load_state_dict(self.network.state_dict())
            copy.train()
            for layer in copy.modules():
                if isinstance(layer, Dropout):
                    layer.generator = generator

    def backward(self, loss: Loss, images: Tensor, labels: Tensor) -> Tensor:
        """Set the gradients of the weights to those of the batch's mean loss, and return it.

        `loss(network, images, labels)` is the mean over the given images.
        """
        count = len(self.copies)
        parts = zip(images.tensor_split(count), labels.tensor_split(count), strict=True)

        def gradients(copy: nn.Module, part: tuple[Tensor, Tensor]) -> list[Tensor]:
            mean = loss(copy, *part) * (len(part[1]) / len(labels))
            return [mean.detach(), *torch.autograd.grad(mean, self.weights)]

        sums, *others = self.pool.map(gradients, self.copies, parts)
        for other in others:
            torch._foreach_add_(sums, other)
        for weight, gradient in zip(self.weights, sums[1:], strict=True):
            weight.grad = gradient
        self._average_buffers()
        return sums[0]

    @torch.no_grad()
    def _average_buffers(self) -> None:
        """Give the network and its copies the mean of the copies' running statistics."""
        copies = (copy.buffers() for copy in self.copies)
        for buffer, *others in zip(self.network.buffers(), *copies, strict=True):
            if buffer.is_floating_point():
                buffer.copy_(torch.stack(others).mean(0))
                torch._foreach_copy_(others, [buffer] * len(others))
            else:
                buffer.copy_(others[0])
