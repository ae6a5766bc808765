"""Training on the parts of a batch, each on a thread of its own."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn import functional

from digits.training.batch_threads import BatchThreads
from digits.training.dropout import Dropout

IMAGES = torch.randn((24, 1, 28, 28), generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(24) % 10


def network(*extra):
    """Return a small network, equal at every call."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 12), *extra, nn.ReLU(), nn.Linear(12, 10))


def loss(net, images, labels):
    """Return the cross-entropy of the batch."""
    return functional.cross_entropy(net(images), labels)


def batch_threads(net, count, threads):
    """Return threads at the beginning of an epoch."""
    started = BatchThreads(net, count, threads)
    started.begin_epoch([torch.Generator().manual_seed(i) for i in range(count)])
    return started


def gradients(net):
    """Return a copy of the gradient of each weight."""
    return [weight.grad.clone() for weight in net.parameters()]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_gradient_is_that_of_the_whole_batch(count):
    """Without batch normalization, parts of any size add up to the whole."""
    net, whole = network(), network()
    expected = loss(whole, IMAGES, LABELS)
    expected.backward()
    mean = batch_threads(net, count, 2).backward(loss, IMAGES, LABELS)
    torch.testing.assert_close(mean, expected.detach())
    torch.testing.assert_close(gradients(net), gradients(whole))


def test_the_number_of_threads_changes_no_bit():
    """Dropout and batch normalization depend on the part, not on its thread."""
    ends = []
    for threads in (1, 2, 4):
        net = network(nn.BatchNorm1d(12), Dropout(0.3))
        parts = batch_threads(net, 4, threads)
        losses = [float(parts.backward(loss, IMAGES, LABELS)) for _ in range(20)]
        ends.append((losses, gradients(net), [b.clone() for b in net.buffers()]))
    for losses, weights, buffers in ends[1:]:
        assert losses == ends[0][0]
        assert all(map(torch.equal, weights, ends[0][1]))
        assert all(map(torch.equal, buffers, ends[0][2]))


def test_the_network_gets_the_mean_statistics_of_its_copies():
    """Running statistics are the mean over the parts; counters advance."""
    net = network(nn.BatchNorm1d(12))
    alone = deepcopy(net).train()
    batch_threads(net, 2, 2).backward(loss, IMAGES, LABELS)
    means = []
    for part in IMAGES.split(12):
        copy = deepcopy(alone)
        copy(part)
        means.append(copy[2].running_mean)
    torch.testing.assert_close(net[2].running_mean, sum(means) / 2)
    assert int(net[2].num_batches_tracked) == 1
