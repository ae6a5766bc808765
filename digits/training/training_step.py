"""One step of the optimizer on a batch: forward, loss, backward, update.

On a GPU the step is recorded once as a CUDA graph and then replayed. A step of a small network
is a hundred kernels that run for some microseconds each, and starting them one by one from
Python takes ten times longer than running them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from digits.project.params_schema import TrainParams
from digits.training.batch_threads import BatchThreads
from digits.training.device import uses_bfloat16
from digits.training.dropout import Dropout

WARM_UP = 3  # steps before a recording, in which libraries choose and load their kernels


class TrainingStep:
    """Takes steps; `loss` sums the mean losses of their batches, on the device.

    The batches of a recorded step must all have one shape. What a step draws at random, for
    dropout, comes from generators that `begin_epoch` seeds.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        train: TrainParams,
        device: torch.device,
        *,
        class_weights: Tensor | None,
        threads: BatchThreads | None,
    ) -> None:
        self._network, self._optimizer, self._threads = network, optimizer, threads
        self._smoothing, self._kind = train.label_smoothing, device.type
        self._weights = class_weights
        self._bfloat16 = uses_bfloat16(train, device.type)
        self.loss = torch.zeros((), device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: tuple[Tensor, Tensor]
        # a generator of its own, so that networks that train side by side do not share one
        self._generator = torch.Generator(device)
        for layer in network.modules():
            if isinstance(layer, Dropout):
                layer.generator = self._generator

    def begin_epoch(self, seed: int) -> None:
        """Set the sum of losses to 0, and let `seed` decide what dropout draws."""
        self.loss.zero_()
        self._generator.manual_seed(seed)

    def take(self, images: Tensor, labels: Tensor) -> None:
        """Take one step on images (n, channels, side, side) with labels (n,)."""
        if self._kind != "cuda":
            self._compute(images, labels)
            return
        if self._graph is None:
            self._graph = self._record(images, labels)
        for static, given in zip(self._batch, (images, labels), strict=True):
            static.copy_(given)
        self._graph.replay()

    def forget(self) -> None:
        """Record the step again when it is next taken: tensors that it changes were replaced."""
        self._graph = None

    def _compute(self, images: Tensor, labels: Tensor) -> None:
        if self._threads:
            loss = self._threads.backward(self._mean_loss, images, labels)
        else:
            self._optimizer.zero_grad(set_to_none=True)
            loss = self._mean_loss(self._network, images, labels)
            loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.loss += loss.detach()

    def _mean_loss(self, network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(self._kind, dtype=torch.bfloat16, enabled=self._bfloat16):
            logits = network(images)
        if logits.ndim > 2:  # each member of a committee learns for itself
            labels = labels.unsqueeze(1).expand(-1, logits.shape[2])
        if self._weights is None:
            return cross_entropy(logits.float(), labels, label_smoothing=self._smoothing)
        options: Any = {"weight": self._weights, "label_smoothing": self._smoothing}
        return cross_entropy(logits.float(), labels, reduction="sum", **options) / labels.numel()

    def _record(self, images: Tensor, labels: Tensor) -> torch.cuda.CUDAGraph:
        """Record the step as a graph that reads copies of `images` and `labels`."""
        self._batch = images.clone(), labels.clone()
        stream = torch.cuda.Stream(images.device)  # type: ignore[no-untyped-call]
        with torch.random.fork_rng(devices=[images.device]), self.without_trace():
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP):
                    self._compute(*self._batch)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            graph.register_generator_state(self._generator)
            with torch.cuda.graph(graph):
                self._compute(*self._batch)
        return graph

    @contextmanager
    def without_trace(self) -> Iterator[None]:
        """Set all that steps change back at the end: tensors keep their places in memory."""
        network = deepcopy(self._network.state_dict())
        moments = deepcopy(self._optimizer.state_dict()["state"])
        loss, drawn = self.loss.clone(), self._generator.get_state()
        yield
        self._generator.set_state(drawn)
        self._network.load_state_dict(network)
        self.loss.copy_(loss)
        parameters = (p for group in self._optimizer.param_groups for p in group["params"])
        for number, parameter in enumerate(parameters):
            for name, tensor in self._optimizer.state[parameter].items():
                earlier = moments.get(number)
                tensor.copy_(earlier[name]) if earlier else tensor.zero_()


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
