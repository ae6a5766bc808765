"""Estimate what a training would cost, by a few steps on random images."""

import dataclasses

import numpy as np
import psutil

from digits.datasets.image_source import image_format
from digits.datasets.split_files import LabelledImages
from digits.preprocessing.image_format import ImageFormat
from digits.project.params_schema import Params
from digits.training import networks
from digits.training.device import configure_torch
from digits.training.training_loop import TrainingState, fit

STEPS = 4  # that are measured, after as many to warm up


@dataclasses.dataclass(frozen=True)
class TrainingCost:
    """`parameters` of the network, `memory` in bytes, `seconds` of an epoch."""

    parameters: int
    memory: int
    seconds: float


def estimate_cost(params: Params, images: int, classes: int) -> TrainingCost:
    """Measure some steps of a training on `images` training images."""
    data, train = params.data, params.train
    configure_torch(train)
    form = image_format(data)
    network = networks.build_network(params.model, classes, form)
    batch = min(train.batch_size, images)
    few = train.model_copy(update={"epochs": 2, "batch_size": batch})
    augment = params.augment.model_copy(update={"flagged_ones": 0})
    random = _random_images(STEPS * batch, classes, form)
    one = dataclasses.replace(random, images=random.images[:1], labels=random.labels[:1])
    *_, last = fit(TrainingState(network, random, one, few, augment))
    memory = psutil.Process().memory_info().rss
    arrays = images * int(np.prod(form.shape))
    seconds = last.seconds / STEPS * max(1, images // batch)
    return TrainingCost(networks.count_parameters(network), memory + arrays, seconds)


def _random_images(n: int, classes: int, form: ImageFormat) -> LabelledImages:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (n, *form.shape), np.uint8)
    labels = np.arange(n) % classes
    return LabelledImages(images, labels, tuple(map(str, range(classes))), form)
