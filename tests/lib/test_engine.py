"""The training loop."""

import copy
import io
import itertools

import numpy as np
import pytest
import torch

from stages.lib import engine, hardware, params, schema
from stages.lib.dataset import Pictures
from stages.lib.engine import Training, fit
from stages.lib.errors import UserError
from stages.lib.network import build


def bars(count, seed):
    """Pictures of ten classes: a bar whose row tells the class, under noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, count)
    images = generator.integers(0, 60, (count, 28, 28), dtype=np.uint8)
    for picture, label in zip(images, labels, strict=True):
        picture[2 * label + 4 : 2 * label + 6, 6:22] = 255
    return Pictures(images, labels)


TRAINING, VALIDATION = bars(330, 0), bars(200, 1)
MODES = [
    pytest.param({"model.kind": kind, **changes}, id=f"{kind}-{name}")
    for kind in ("mlp", "cnn")
    for name, changes in {
        "bfloat16": {"train.precision": "bfloat16"},
        "float32": {"train.precision": "float32"},
        "ema": {"train.precision": "bfloat16", "train.ema": 0.9},
        "dropout": {"model.mlp.dropout": 0.2, "model.cnn.dropout": 0.2},
        "shards": {"train.shard": 8, "model.mlp.dropout": 0.2, "model.cnn.dropout": 0.2},
        "committee": {"model.members": 2, "train.shard": 8},
        "still": {f"augment.{name}": 0 for name in schema.Augment.model_fields},
    }.items()
]


@pytest.fixture
def make(values):
    """Gives a new Training; arguments change single values of params.yaml."""

    def made(changes=None):
        changed = copy.deepcopy(values)
        changed["train"] |= {"batch_size": 32, "epochs": 3}
        for key, value in (changes or {}).items():
            *parents, last = key.split(".")
            section = changed
            for parent in parents:
                section = section[parent]
            section[last] = value
        checked = params.check(changed, "test")
        hardware.configure(checked.train)
        network = build(checked.model, 10)
        return Training(network, TRAINING, VALIDATION, checked.train, checked.augment)

    return made


def saved(state):
    """`state` as a checkpoint holds it: through a file and back, without pickle."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def same(ours, theirs):
    """Whether two nested states are equal to the last bit."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    return torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs


def plain(state):
    """Whether a state holds nothing but what a checkpoint may hold."""
    if isinstance(state, dict):
        return all(plain(value) for value in state.values())
    return type(state) in (torch.Tensor, str, int, float, bool, type(None))


@pytest.mark.parametrize("changes", MODES)
@pytest.mark.parametrize("stop", [1, 2])
def test_a_resumed_run_ends_with_the_same_bits(make, changes, stop):
    """Stopped after any epoch, saved, and continued in a new process's place: no bit differs."""
    whole, first, second = make(changes), make(changes), make(changes)
    records = list(fit(whole))
    begun = list(itertools.islice(fit(first), stop))
    second.load_state_dict(saved(first.state_dict()))
    continued = list(fit(second))
    assert same(whole.state_dict(), second.state_dict())
    assert same(engine.best_state(whole), engine.best_state(second))
    losses = [(e.epoch, e.train_loss, e.validation_loss) for e in begun + continued]
    assert losses == [(e.epoch, e.train_loss, e.validation_loss) for e in records]


def test_a_state_is_plain_and_a_copy(make):
    """A state holds only plain values, and going on training does not change it."""
    training = make({"train.ema": 0.9})
    epochs = fit(training)
    next(epochs)
    state = training.state_dict()
    kept = saved(state)
    next(epochs)
    assert plain(state)
    assert same(state, kept)


def test_loading_a_state_leaves_the_state_alone(make):
    """One checkpoint can start several runs."""
    training = make()
    next(fit(training))
    state = saved(training.state_dict())
    kept = copy.deepcopy(state)
    training.load_state_dict(state)
    list(fit(training))
    assert same(state, kept)


def test_the_caller_may_use_randomness(make):
    """What others draw from torch's global generator between epochs changes nothing."""
    quiet, disturbed = make({"model.mlp.dropout": 0.2}), make({"model.mlp.dropout": 0.2})
    list(fit(quiet))
    for _ in fit(disturbed):
        torch.rand(7)
    assert same(quiet.state_dict(), disturbed.state_dict())


def test_training_leaves_the_callers_randomness_alone(make):
    """An epoch does not move torch's global generator."""
    training = make({"model.mlp.dropout": 0.2})
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    next(fit(training))
    assert torch.equal(torch.rand(3), expected)


def test_another_seed_is_another_run(make):
    """The seed reaches the weights and the order of the pictures."""
    ours, theirs = make({"train.seed": 1}), make({"train.seed": 2})
    assert not same(ours.network.state_dict(), theirs.network.state_dict())
    assert next(fit(ours)).train_loss != next(fit(theirs)).train_loss


def test_both_kinds_learn(make):
    """A few epochs suffice for an easy task, and the records say so."""
    for kind in ("mlp", "cnn"):
        still = {"augment.shift": 0.0, "augment.elastic": 0.0}
        records = list(fit(make({"model.kind": kind, "train.epochs": 8, **still})))
        assert [e.epoch for e in records] == list(range(1, 9))
        assert records[-1].validation_accuracy > 0.9
        assert records[-1].train_loss < records[0].train_loss
        assert all(e.seconds > 0 for e in records)


def test_a_finished_run_has_nothing_to_do(make):
    """`fit` after the last epoch yields nothing."""
    training = make({"train.epochs": 1})
    assert len(list(fit(training))) == 1
    assert list(fit(training)) == []


def test_the_best_weights_are_those_of_the_best_epoch(make):
    """`best_state` is what the network was after the epoch with the highest accuracy."""
    training = make({"train.epochs": 5})
    weights, ranks = [], []
    for e in fit(training):
        weights.append({k: v.clone() for k, v in training.network.state_dict().items()})
        ranks.append((e.validation_accuracy, -e.validation_loss))
    assert same(engine.best_state(training), weights[ranks.index(max(ranks))])


def test_fewer_pictures_than_a_batch_are_one_batch(make):
    """A batch size above the number of pictures still trains."""
    training = make({"train.batch_size": 1000})
    assert training.steps == 1
    assert len(list(fit(training))) == 3


def test_divergence_is_one_sentence(make):
    """A loss that is no number names the value to lower, and keeps the state of before."""
    training = make({"train.learning_rate": 1e30})
    with pytest.raises(UserError, match=r"diverged; lower train\.learning_rate \(1e\+30\)"):
        list(fit(training))


def test_logits_do_not_depend_on_the_batch_size(make):
    """Evaluation in pieces gives the same numbers, and leaves the network in its mode."""
    training = make()
    network = training.network.train()
    whole = engine.logits(network, VALIDATION.images, training.device)
    pieces = engine.logits(network, VALIDATION.images, training.device, batch_size=7)
    np.testing.assert_allclose(whole, pieces, atol=1e-5)
    assert whole.dtype == np.float32
    assert network.training
