"""The training loop: exact resumption, learning, the best weights, the learning rate."""

import io
import itertools

import numpy as np
import pytest
import torch

from digits.datasets.split_files import LabelledImages
from digits.project import params_file
from digits.project.params_schema import AugmentParams
from digits.training import checkpoint, device, training_loop
from digits.training.networks import build_network, normalize_images
from digits.training.optimizer import learning_rate_at
from digits.training.training_loop import TrainingState, fit


def bars(count, seed):
    """Return images of ten classes: a bar whose row depends on the class, with noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, count)
    images = generator.integers(0, 60, (count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6, 6:22] = 255
    return LabelledImages(images, labels)


TRAINING, VALIDATION = bars(330, 0), bars(200, 1)
DROPOUT = {"model.mlp.dropout": 0.2, "model.cnn.dropout": 0.2}
CNN = {"model.kind": "cnn"}
MODES = [
    {"train.precision": "bfloat16", **DROPOUT},
    {"train.precision": "bfloat16", **DROPOUT, **CNN},
    {"train.precision": "float32"},
    {"train.shard": 8, **DROPOUT},
    {"train.shard": 8, **DROPOUT, **CNN},
    {"train.shard": 8, "model.members": 2},
    {f"augment.{name}": 0 for name in AugmentParams.model_fields},
]


@pytest.fixture
def make(values):
    """Return a function that starts a training with changes of params.yaml."""

    def start(changes=None):
        small = {"train.batch_size": 32, **(changes or {})}
        checked = params_file.with_changes(params_file.check_params(values, "test"), small, "test")
        device.configure_torch(checked.train)
        network = build_network(checked.model, 10)
        return TrainingState(network, TRAINING, VALIDATION, checked.train, checked.augment)

    return start


def saved(state):
    """Return `state` as a checkpoint loads it: through bytes and back, without pickle."""
    return torch.load(io.BytesIO(checkpoint.torch_bytes(state)), weights_only=True)


def is_equal(a, b):
    """Return whether two nested states are equal to the last bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(is_equal(a[k], b[k]) for k in a)
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.parametrize("changes", MODES)
def test_a_resumed_training_ends_with_the_same_bits(make, changes):
    """Saved after one epoch and continued from the saved state, no bit differs."""
    whole, first, second = make(changes), make(changes), make(changes)
    records = list(fit(whole))
    before = list(itertools.islice(fit(first), 1))
    second.load_state_dict(saved(first.state_dict()))
    after = list(fit(second))
    assert is_equal(whole.state_dict(), second.state_dict())
    losses = [(e.epoch, e.train_loss, e.validation_loss) for e in before + after]
    assert losses == [(e.epoch, e.train_loss, e.validation_loss) for e in records]


@pytest.mark.parametrize("changes", [DROPOUT, {**DROPOUT, **CNN}])
def test_steps_without_trace_change_nothing(make, changes):
    """A GPU takes steps before it records one; the training then goes as if it had not."""
    plain, disturbed = make(changes), make(changes)
    list(fit(plain))
    for _ in itertools.chain(range(1), fit(disturbed)):  # before the first step, and later
        with disturbed.step.without_trace():
            for _ in range(3):
                disturbed.step.take(*batch(disturbed))
    assert is_equal(plain.state_dict(), disturbed.state_dict())


def batch(training):
    """Return the first images of a training as a step takes them."""
    return normalize_images(training.images[:32]), training.labels[:32]


def test_the_caller_may_draw_random_numbers(make):
    """Draws from torch's global generator between epochs change nothing."""
    quiet, disturbed = make({"model.mlp.dropout": 0.2}), make({"model.mlp.dropout": 0.2})
    list(fit(quiet))
    for _ in fit(disturbed):
        torch.rand(7)
    assert is_equal(quiet.state_dict(), disturbed.state_dict())


def test_both_kinds_learn(make):
    """Eight epochs suffice for an easy task, as the records show."""
    for kind in ("mlp", "cnn"):
        still = {"augment.shift": 0.0, "augment.elastic": 0.0}
        records = list(fit(make({"model.kind": kind, "train.epochs": 8, **still})))
        assert [e.epoch for e in records] == list(range(1, 9))
        assert records[-1].validation_accuracy > 0.9
        assert records[-1].train_loss < records[0].train_loss
        assert all(e.seconds > 0 for e in records)


def test_the_best_weights_are_those_of_the_best_epoch(make):
    """They are the weights after the epoch with the highest validation accuracy."""
    training = make({"train.epochs": 5})
    weights, ranks = [], []
    for e in fit(training):
        weights.append({k: v.clone() for k, v in training.network.state_dict().items()})
        ranks.append((e.validation_accuracy, -e.validation_loss))
    assert is_equal(training_loop.best_weights(training), weights[ranks.index(max(ranks))])


def test_fewer_images_than_a_batch_are_one_batch(make):
    """A batch size above the number of images still trains."""
    training = make({"train.batch_size": 1000})
    assert training.steps == 1
    assert len(list(fit(training))) == 3


def test_the_learning_rate_rises_and_falls(values):
    """It rises to the peak during warm-up, then falls linearly to almost 0."""
    values["train"] |= {"epochs": 10, "warmup": 0.2, "learning_rate": 0.01}
    train = params_file.check_params(values, "test").train
    rates = [learning_rate_at(train, step, 10) for step in range(100)]
    assert max(rates) == rates[19] == rates[20] == 0.01
    assert rates[0] == pytest.approx(0.0005)
    assert rates[-1] == pytest.approx(0.01 / 80)
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)
