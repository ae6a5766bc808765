"""A batch in parts, each on a thread of its own."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn import functional

from digits.training.batch_threads import BatchThreads
from digits.training.networks import Dropout

PICTURES = torch.randn((24, 1, 28, 28), generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(24) % 10


def network(*extra):
    """A small network, the same at every call."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 12), *extra, nn.ReLU(), nn.Linear(12, 10))


def loss(net, pictures, labels):
    """Cross-entropy of the batch."""
    return functional.cross_entropy(net(pictures), labels)


def begun(net, count, threads):
    """Shards that have begun an epoch."""
    shards = BatchThreads(net, count, threads)
    shards.begin([torch.Generator().manual_seed(i) for i in range(count)])
    return shards


def gradients(net):
    """A copy of the gradient of each weight."""
    return [weight.grad.clone() for weight in net.parameters()]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_gradient_is_that_of_the_whole_batch(count):
    """Without anything between pictures, parts of any size add up to the whole."""
    net, whole = network(), network()
    expected = loss(whole, PICTURES, LABELS)
    expected.backward()
    found = begun(net, count, 2).backward(loss, PICTURES, LABELS)
    torch.testing.assert_close(found, expected.detach())
    for ours, theirs in zip(gradients(net), gradients(whole), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_number_of_threads_changes_no_bit():
    """Dropout and batch normalisation, too, depend on the part and not on its thread."""
    ends = []
    for threads in (1, 2, 4):
        net = network(nn.BatchNorm1d(12), Dropout(0.3))
        shards = begun(net, 4, threads)
        losses = [float(shards.backward(loss, PICTURES, LABELS)) for _ in range(20)]
        ends.append((losses, gradients(net), [b.clone() for b in net.buffers()]))
    for losses, weights, buffers in ends[1:]:
        assert losses == ends[0][0]
        assert all(map(torch.equal, weights, ends[0][1]))
        assert all(map(torch.equal, buffers, ends[0][2]))


def test_the_network_gets_the_mean_of_what_its_copies_saw():
    """Running statistics are the mean over the parts; counters go on."""
    net = network(nn.BatchNorm1d(12))
    alone = deepcopy(net).train()
    begun(net, 2, 2).backward(loss, PICTURES, LABELS)
    means = []
    for part in PICTURES.split(12):
        copy = deepcopy(alone)
        copy(part)
        means.append(copy[2].running_mean)
    torch.testing.assert_close(net[2].running_mean, sum(means) / 2)
    assert int(net[2].num_batches_tracked) == 1
