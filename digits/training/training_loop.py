"""The training loop: pictures and parameters in, one record per epoch out.

It knows no files, no MLflow and no Optuna; whoever loops over `fit` logs, checkpoints
and prunes. Pictures are whole uint8 tensors on the training device and a batch is a
selection by index. The order of the pictures, their distortions and dropout depend on
the seed and the epoch's number alone, so a run that continues from a state dict ends
with the same bits as one that was never stopped.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from digits.datasets.split_files import LabelledImages
from digits.evaluation.temperature_scaling import cross_entropy
from digits.project.errors import UserError
from digits.project.params_schema import AugmentParams, TrainParams
from digits.training.augmentation import augment_images, displacement_basis, is_active
from digits.training.batch_threads import BatchThreads
from digits.training.device import seeded_generator, select_device, uses_bfloat16
from digits.training.networks import normalize_images
from digits.training.optimizer import build_optimizer, learning_rate_at
from digits.training.synthetic_ones import add_synthetic_ones

State = dict[str, Any]
BLOCK_SIZE = 2048  # pictures selected and distorted at once
VALIDATION_BATCH = 2000  # pictures validated at once


@dataclass(frozen=True)
class EpochRecord:
    """What one pass over the training pictures came to; losses are mean cross-entropy."""

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


class TrainingState:
    """A network being fitted: weights, optimiser, and how far it has come."""

    def __init__(
        self,
        network: nn.Module,
        training: LabelledImages,
        validation: LabelledImages,
        train: TrainParams,
        augment: AugmentParams,
    ) -> None:
        self.device = select_device(train)
        self.train, self.augment = train, augment
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        whole = add_synthetic_ones(training, augment.flagged_ones, train.seed)
        self.images = torch.from_numpy(whole.images).to(self.device)
        self.labels = torch.from_numpy(whole.labels).to(self.device)
        self.validation = validation
        self.optimizer = build_optimizer(self.network, train)
        self.basis = displacement_basis(self.images.shape[-1], self.device)
        self.batch_threads = self._shards()
        self.epoch = 0
        self.best: State = {"accuracy": -1.0, "loss": math.inf, "weights": {}}

    @property
    def steps(self) -> int:
        """Steps per epoch; an incomplete last batch is left out, another one each epoch."""
        return max(1, len(self.labels) // self.train.batch_size)

    def _shards(self) -> BatchThreads | None:
        """What `train.shard` asks for; a GPU divides its work itself."""
        if not self.train.shard or self.device.type == "cuda":
            return None
        count = min(self.train.batch_size, len(self.labels)) // self.train.shard
        return BatchThreads(self.network, count, self.train.threads) if count > 1 else None

    def state_dict(self) -> State:
        """All that `load_state_dict` needs to go on, for torch.load(weights_only=True).

        It changes as training goes on: save it at once.
        """
        return {
            "epoch": self.epoch,
            "network": self.network.state_dict(),
            "optimiser": self.optimizer.state_dict(),
            "best": self.best,
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from `state`, which is used up; the parameters must be the same."""
        self.epoch = state["epoch"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimiser"])
        self.best = state["best"]


def fit(training: TrainingState) -> Iterator[EpochRecord]:
    """Train epoch by epoch until `train.epochs`, from wherever `training` stands.

    Yields after each epoch, when the state is complete and may be saved. Raises
    UserError when the loss is no longer a number.
    """
    while training.epoch < training.train.epochs:
        start = time.perf_counter()
        train_loss = _train_epoch(training)
        training.epoch += 1
        accuracy, loss = _validate(training)
        rate = learning_rate_at(training.train, training.epoch * training.steps - 1, training.steps)
        yield EpochRecord(
            training.epoch, rate, train_loss, loss, accuracy, time.perf_counter() - start
        )


def best_weights(training: TrainingState) -> dict[str, Tensor]:
    """The weights of the epoch with the highest validation accuracy, on the CPU.

    Equal accuracies: the lower validation loss.
    """
    return {name: tensor.cpu() for name, tensor in training.best["weights"].items()}


@torch.inference_mode()
def predict_logits(
    network: nn.Module, images: NDArray[np.uint8], device: torch.device
) -> NDArray[np.float32]:
    """What `network` says about `images`, (n, 28, 28) -> (n, classes), in float32.

    The network is left in the mode in which it is used, not in that of training.
    """
    network.eval()
    batches = torch.split(torch.from_numpy(images), VALIDATION_BATCH)
    rows = [network(normalize_images(batch.to(device))).float().cpu() for batch in batches]
    return torch.cat(rows).numpy()


def _train_epoch(training: TrainingState) -> float:
    """One epoch of steps; the mean loss."""
    train, device, steps = training.train, training.device, training.steps
    generator = seeded_generator([train.seed, training.epoch], device)
    total = torch.zeros((), device=device)
    training.network.train()
    if training.batch_threads:
        # from 1: to SeedSequence a 0 at the end is nothing, and that is the epoch's own generator
        parts = range(1, len(training.batch_threads.copies) + 1)
        training.batch_threads.begin(
            [seeded_generator([train.seed, training.epoch, i], device) for i in parts]
        )
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(generator.initial_seed())  # for dropout, which takes no generator
        for step, (pictures, labels) in enumerate(_batches(training, generator)):
            done = training.epoch * steps + step
            for group in training.optimizer.param_groups:
                group["lr"] = learning_rate_at(train, done, steps)
            total += _step(training, pictures, labels)
    # One look per epoch: a look per step would make a GPU wait for each.
    mean = float(total) / steps
    if not math.isfinite(mean):
        raise UserError(
            f"the loss became {mean} in epoch {training.epoch + 1}, so training has diverged;"
            f" lower train.learning_rate ({train.learning_rate:g})"
        )
    return mean


def _batches(
    training: TrainingState, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """The epoch's batches of (n, 1, 28, 28) pictures and (n,) labels, shuffled and distorted."""
    size = training.train.batch_size
    order = torch.randperm(len(training.labels), generator=generator, device=training.device)
    # Several batches at a time: large pieces spread the fixed cost of each operation.
    for block in torch.split(order[: training.steps * size], max(1, BLOCK_SIZE // size) * size):
        pictures = training.images.index_select(0, block)
        if is_active(training.augment):
            pictures = augment_images(pictures, training.augment, training.basis, generator)
        labels = training.labels.index_select(0, block)
        batches = torch.split(normalize_images(pictures), size), torch.split(labels, size)
        yield from zip(*batches, strict=True)


def _step(training: TrainingState, pictures: Tensor, labels: Tensor) -> Tensor:
    """One step of the optimiser; the batch's loss, still on the device."""
    kind, smoothing = training.device.type, training.train.label_smoothing
    lower = uses_bfloat16(training.train, kind)

    def mean_loss(network: nn.Module, pictures: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=lower):
            outputs = network(pictures)
        if outputs.ndim > 2:  # each member of a committee learns for itself
            labels = labels.unsqueeze(1).expand(-1, outputs.shape[2])
        return functional.cross_entropy(outputs.float(), labels, label_smoothing=smoothing)

    if training.batch_threads:
        loss = training.batch_threads.backward(mean_loss, pictures, labels)
    else:
        training.optimizer.zero_grad(set_to_none=True)
        loss = mean_loss(training.network, pictures, labels)
        loss.backward()  # type: ignore[no-untyped-call]
    training.optimizer.step()
    return loss.detach()


def _validate(training: TrainingState) -> tuple[float, float]:
    """Validation accuracy (a fraction) and loss; keeps the weights if they are the best."""
    outputs = predict_logits(training.network, training.validation.images, training.device)
    accuracy = float((outputs.argmax(1) == training.validation.labels).mean())
    loss = cross_entropy(outputs, training.validation.labels)
    if (accuracy, -loss) > (training.best["accuracy"], -training.best["loss"]):
        state = training.network.state_dict()
        weights = {name: tensor.clone() for name, tensor in state.items()}
        training.best = {"accuracy": accuracy, "loss": loss, "weights": weights}
    return accuracy, loss
