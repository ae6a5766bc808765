"""The training loop: images and parameters in, one record per epoch out.

It uses neither files nor MLflow nor Optuna: the callers of `fit` log, checkpoint and prune.
All images are one uint8 tensor on the training device, and a batch is a selection by index.
The order of the images, their distortion and dropout depend on the seed and the number of the
epoch alone. So a training that continues from a state dict ends with the same bits as one that
was never stopped. Within an epoch nothing waits for a GPU: steps are only started.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from digits.datasets.split_files import LabelledImages
from digits.evaluation import temperature_scaling
from digits.project.errors import UserError
from digits.project.params_schema import AugmentParams, TrainParams
from digits.training import augmentation, networks, synthetic_ones
from digits.training.batch_threads import BatchThreads
from digits.training.device import (
    images_that_fit,
    reporting_memory,
    seeded_generator,
    select_device,
)
from digits.training.optimizer import (
    build_optimizer,
    learning_rate_at,
    load_optimizer,
    set_learning_rate,
)
from digits.training.predictor import build_predictor
from digits.training.training_step import TrainingStep, class_weights

State = dict[str, Any]
# Images of MNIST's size that are selected and distorted at once, by the type of device: several
# batches, because large tensors spread the fixed cost of each operation. Random numbers are drawn
# for a block, so its size is part of the result.
BLOCK_SIZES = {"cpu": 2048, "cuda": 16384}
VALIDATION_BATCH = 2000  # images


@dataclass(frozen=True)
class EpochRecord:
    """The numbers of one pass over the training images; losses are mean cross-entropy."""

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


class TrainingState:
    """A network during training: weights, optimizer, data, and the epochs that are finished."""

    def __init__(
        self,
        network: nn.Module,
        training: LabelledImages,
        validation: LabelledImages,
        train: TrainParams,
        augment: AugmentParams,
    ) -> None:
        self.device = select_device(train)
        self.train, self.augment, self.validation = train, augment, validation
        extended = synthetic_ones.add_synthetic_ones(training, augment.flagged_ones, train.seed)
        arrays = extended.images, extended.labels, validation.images
        with reporting_memory(train):
            self.network = network.to(self.device).to(memory_format=torch.channels_last)
            on_device = (torch.from_numpy(array).to(self.device) for array in arrays)
            self.images, self.labels, self.validation_images = on_device
        self.optimizer = build_optimizer(self.network, train)
        self.basis = augmentation.displacement_basis(training.format.side, self.device)
        self.has_background = training.format.kind == "glyphs"
        self.predictor = build_predictor(
            self.network, 1, training.format, remove_background=self.has_background
        ).to(self.device)
        weights = class_weights(train, self.labels, len(training.classes))
        self.batch_threads = self._batch_threads()
        options: Any = {"class_weights": weights, "threads": self.batch_threads}
        self.step = TrainingStep(self.network, self.optimizer, train, self.device, **options)
        self.epoch = 0
        self.best: State = {"accuracy": -1.0, "loss": math.inf, "weights": {}}

    @property
    def steps(self) -> int:
        """Steps per epoch; an incomplete last batch, each epoch a different one, is left out."""
        return max(1, len(self.labels) // self.train.batch_size)

    def _batch_threads(self) -> BatchThreads | None:
        """Return the threads of `train.shard`; None on a GPU, which divides its work itself."""
        if not self.train.shard or self.device.type == "cuda":
            return None
        count = min(self.train.batch_size, len(self.labels)) // self.train.shard
        return BatchThreads(self.network, count, self.train.threads) if count > 1 else None

    def state_dict(self) -> State:
        """Return all that `load_state_dict` needs, for torch.load(weights_only=True).

        Its tensors change as training continues: save it at once.
        """
        network, optimizer = self.network.state_dict(), self.optimizer.state_dict()
        return {"epoch": self.epoch, "network": network, "optimiser": optimizer, "best": self.best}

    def load_state_dict(self, state: State) -> None:
        """Continue from `state`, which must not be used again; the parameters must be equal."""
        self.epoch, self.best = state["epoch"], state["best"]
        self.network.load_state_dict(state["network"])
        load_optimizer(self.optimizer, state["optimiser"])
        self.step.forget()


def fit(training: TrainingState) -> Iterator[EpochRecord]:
    """Train epoch by epoch until `train.epochs`, after those that are finished.

    Yields after each epoch, when the state is complete and may be saved. Raises UserError when
    the loss is no longer finite, and when a GPU has too little memory.
    """
    while training.epoch < training.train.epochs:
        start = time.perf_counter()
        with reporting_memory(training.train):
            train_loss = _train_epoch(training)
        training.epoch += 1
        accuracy, loss = _validate(training)
        rate = learning_rate_at(training.train, training.epoch * training.steps - 1, training.steps)
        seconds = time.perf_counter() - start
        yield EpochRecord(training.epoch, rate, train_loss, loss, accuracy, seconds)


def best_weights(training: TrainingState) -> dict[str, Tensor]:
    """Return the weights of the epoch with the highest validation accuracy, on the CPU.

    Of equal accuracies the one with the lower validation loss counts.
    """
    return {name: tensor.cpu() for name, tensor in training.best["weights"].items()}


@torch.inference_mode()
def predict_logits(
    network: nn.Module, images: NDArray[np.uint8] | Tensor, device: torch.device
) -> NDArray[np.float32]:
    """Return the logits of `images`, (n, side, side[, 3]) -> (n, classes), in float32.

    The network is left in evaluation mode.
    """
    network.eval()
    batches = torch.split(torch.as_tensor(images), images_that_fit(VALIDATION_BATCH, images.shape))
    rows = [network(networks.normalize_images(batch.to(device))).float() for batch in batches]
    return torch.cat(rows).cpu().numpy()


def _train_epoch(training: TrainingState) -> float:
    """Take the steps of one epoch; return the mean loss."""
    train, device, steps = training.train, training.device, training.steps
    seeds = [train.seed, training.epoch]
    generator = seeded_generator(seeds, device)
    training.network.train()
    training.step.begin_epoch(generator.initial_seed())
    if threads := training.batch_threads:
        # from 1: SeedSequence ignores a 0 at the end, so 0 would give the epoch's own generator
        parts = range(1, len(threads.copies) + 1)
        threads.begin_epoch([seeded_generator([*seeds, part], device) for part in parts])
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(generator.initial_seed())  # for layers that take no generator
        batches = enumerate(_batches(training, generator), start=training.epoch * steps)
        for number, (images, labels) in batches:
            set_learning_rate(training.optimizer, learning_rate_at(train, number, steps))
            training.step.take(images, labels)
    mean = float(training.step.loss) / steps  # once per epoch: a GPU waits when a value is read
    if not math.isfinite(mean):
        problem = f"the loss became {mean} in epoch {training.epoch + 1}: training diverges"
        raise UserError(f"{problem}; lower train.learning_rate ({train.learning_rate:g})")
    return mean


def _batches(training: TrainingState, generator: Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of normalized images and (n,) labels, shuffled and distorted."""
    size = training.train.batch_size
    block_size = images_that_fit(BLOCK_SIZES[training.device.type], training.images.shape)
    order = torch.randperm(len(training.labels), generator=generator, device=training.device)
    for block in torch.split(order[: training.steps * size], max(1, block_size // size) * size):
        images = training.images.index_select(0, block)
        if augmentation.is_active(training.augment):
            options = training.augment, training.basis, generator
            images = augmentation.augment_images(
                images, *options, has_background=training.has_background
            )
        labels = training.labels.index_select(0, block)
        batches = torch.split(networks.normalize_images(images), size), torch.split(labels, size)
        yield from zip(*batches, strict=True)


def _validate(training: TrainingState) -> tuple[float, float]:
    """Return validation accuracy, a fraction, and loss; keep the weights if they are the best."""
    best, validation = training.best, training.validation
    logits = predict_logits(training.predictor, training.validation_images, training.device)
    accuracy = float((logits.argmax(1) == validation.labels).mean())
    loss = temperature_scaling.cross_entropy(logits, validation.labels)
    if (accuracy, -loss) > (best["accuracy"], -best["loss"]):
        weights = {k: tensor.clone() for k, tensor in training.network.state_dict().items()}
        training.best = {"accuracy": accuracy, "loss": loss, "weights": weights}
    return accuracy, loss
