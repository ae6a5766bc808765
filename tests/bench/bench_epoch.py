"""How fast training is on this machine: against the usual way, and against arithmetic alone.

    python -m tests.bench.bench_epoch [folder of the raw data, data/raw by default]

Everything is measured in one run and in turns, so that other work on the machine hits
all alike; medians are printed. Each recipe of params.yaml trains with its own batches, but
for committees, whose members are measured already; the usual way with 64 pictures in
float32. "Floor" is the same matrix products and convolutions, forward and backward, in the
precision, parts and threads that training uses, and the optimiser's step: no pictures, no
loss, no normalisation, no activation. Then the recipe `cnn` trains to 99.0 % of the
validation pictures, without augmentation and with the values SOON. Five minutes on two cores.
"""

from digits.project.thread_environment import set_thread_environment

set_thread_environment()  # before torch is imported
# ruff: noqa: E402
# isort: split
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import nn

from digits.datasets.split_files import LabelledImages
from digits.project import params_file
from digits.project.errors import UserError
from digits.project.params_schema import AugmentParams
from digits.training import networks, training_loop
from digits.training.device import configure_torch, uses_bfloat16
from digits.training.training_loop import TrainingState

ROUNDS = 5
SAMPLE = 30 * 512  # pictures per measurement of ours
STILL = dict.fromkeys(AugmentParams.model_fields, 0)
SOON = {"batch_size": 96, "shard": 48, "learning_rate": 0.008, "label_smoothing": 0.05}  # to 99 %
SPIN = "import os; os.sched_setaffinity(0, {%d})\nwhile True: pass"


def pictures(raw):
    """The official training pictures, shuffled, or a sentence when absent."""
    from torchvision.datasets import MNIST

    try:
        mnist = MNIST(raw, train=True)
    except RuntimeError:
        raise UserError(f"no MNIST files in {raw}/MNIST/raw; run `dvc repro download`") from None
    images, labels = mnist.data.numpy(), mnist.targets.numpy().astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    return LabelledImages(np.ascontiguousarray(images[order]), labels[order])


def training(values, parts, augment, **changes):
    """A fresh Training as `values` describe it, but for `changes` of the section train."""
    train = values.train.model_copy(update=changes)
    configure_torch(train)
    return TrainingState(networks.build_network(values.model, 10), *parts, train, augment)


def ours(values, device, whole, augment):
    """Gives a function: seconds per 54,000 pictures, validation left out."""
    parts = [LabelledImages(whole.images[:n], whole.labels[:n]) for n in (SAMPLE, 10)]
    state = training(values, parts, augment, device=device, epochs=10**6)
    epochs = training_loop.fit(state)
    used = state.steps * values.train.batch_size
    return lambda: next(epochs).seconds * 54_000 / used


def floor(values, device):
    """Gives a function: seconds of arithmetic per 54,000 pictures."""
    net, size = networks.build_network(values.model, 10).to(device), values.train.batch_size
    masters = [p.detach().clone().requires_grad_() for p in net.parameters()]
    for p in masters:
        p.grad = torch.zeros_like(p)
    optimiser = torch.optim.AdamW(masters, lr=1e-6, fused=True)
    shard = values.train.shard if device == "cpu" else 0
    dtype = torch.bfloat16 if uses_bfloat16(values.train, device) else torch.float32
    works = [
        arithmetic(deepcopy(net), part, dtype)
        for part in [shard or size] * (size // (shard or size))
    ]
    # one thread of OpenMP in each of ours, as in training
    pool = ThreadPoolExecutor(values.train.threads, "floor", torch.set_num_threads, (1,))

    def step():
        if len(works) == 1:
            works[0]()
        else:
            list(pool.map(lambda work: work(), works))
        optimiser.step()

    return lambda: _timed(step, device, SAMPLE // size) * 54_000 / size


def arithmetic(net, size, dtype):
    """Gives a function: the matrix products and convolutions of `size` pictures."""
    pairs, hooks = [], []
    device = next(net.parameters()).device

    def note(layer, inputs, output):
        made = [torch.randn_like(t).to(dtype) for t in (inputs[0], output)]
        pairs.append((layer, *(_laid_out(t) for t in made)))

    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            hooks.append(layer.register_forward_hook(note))
    net(torch.zeros((size, 1, 28, 28), device=device))
    for hook in hooks:
        hook.remove()
    for number, (layer, inputs, _) in enumerate(pairs):
        layer.to(dtype).to(memory_format=torch.channels_last)
        inputs.requires_grad_(number > 0)

    def work():
        for layer, inputs, upstream in pairs:
            wanted = [t for t in (inputs, *layer.parameters()) if t.requires_grad]
            torch.autograd.grad(layer(inputs), wanted, upstream)

    return work


def _laid_out(tensor):
    """Pictures channels-last, as training has them."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _timed(step, device, count):
    """Seconds per call of `step`."""
    start = time.perf_counter()
    for _ in range(count):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / count


@contextlib.contextmanager
def usual(name, raw):
    """Gives a function: seconds per 54,000 pictures of the usual way, on the processor."""
    command = [sys.executable, "-m", "tests.bench.usual", name, str(raw)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {
        k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    }
    with subprocess.Popen(command, env=environment, **pipes) as child:

        def measure():
            child.stdin.write("go\n")
            child.stdin.flush()
            return float(child.stdout.readline())

        yield measure
        child.stdin.close()


@contextlib.contextmanager
def neighbour():
    """A process that keeps one core busy."""
    core = max(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", SPIN % core]) as child:
        try:
            time.sleep(0.3)
            yield
        finally:
            child.kill()


def in_turns(measures):
    """The median of ROUNDS measurements of each, taken in turns after one to warm up."""
    taken = {name: [] for name in measures}
    for number in range(ROUNDS + 1):
        for name, measure in measures.items():
            seconds = measure()
            if number:
                taken[name].append(seconds)
    return {name: statistics.median(times) for name, times in taken.items()}


def report(values, name, device, whole, raw):
    """Measure one network on one device and print a line for each way."""
    own = ours(values, device, whole, values.augment)
    measures = {
        "ours, augmented": own,
        "ours, no augmentation": ours(values, device, whole, AugmentParams(**STILL)),
        "floor": floor(values, device),
    }
    with usual(name, raw) as measures["usual way"]:
        found = in_turns(measures)
    count = networks.count_parameters(networks.build_network(values.model, 10))
    print(
        f"\n{name} ({count:,} parameters, batches of {values.train.batch_size}) on {device},",
        end=" ",
    )
    print("seconds per epoch of 54,000 pictures")
    for way, seconds in found.items():
        faster, above = found["usual way"] / seconds, seconds / found["floor"]
        print(f"  {way:24}{seconds:8.2f} s {faster:6.1f} x as fast as usual {above:6.2f} x floor")
    if device == "cpu":
        beside_a_neighbour(own, values.train.threads)


def beside_a_neighbour(own, threads):
    """Print what a busy process on one core costs."""
    quiet, busy = [], []
    for _ in range(ROUNDS):
        quiet.append(own())
        with neighbour():
            busy.append(own())
    slower = statistics.median(busy) / statistics.median(quiet)
    cores = len(os.sched_getaffinity(0))
    fair = threads / min(threads, cores - 0.5)
    print(f"  a busy neighbour on one of {cores} cores: {slower:.2f} x as long; fair {fair:.2f} x")


def to_99(values, device, whole):
    """Print how long the convolutional network takes to 99.0 % on validation."""
    places = np.s_[6000:], np.s_[:6000]
    parts = [LabelledImages(whole.images[place], whole.labels[place]) for place in places]
    for epochs in (1, 2, 3):
        still = AugmentParams(**STILL)
        state = training(values, parts, still, device=device, epochs=epochs, **SOON)
        seconds = sum(epoch.seconds for epoch in training_loop.fit(state))
        if state.best["accuracy"] >= 0.99:
            break
    told = f"{seconds:.1f} s, {epochs} epoch(s), {state.best['accuracy']:.2%}"
    print(f"\ncnn to 99.0 % validation on {device}: {told}")


def main():
    """Print everything."""
    raw = Path(sys.argv[1] if len(sys.argv) > 1 else "data/raw")
    try:
        values, whole = params_file.load_params(), pictures(raw)
    except UserError as error:
        sys.exit(str(error))
    print(f"torch {torch.__version__}, {values.train.threads} threads;", end=" ")
    print("usual way: batches of 64, float32, DataLoader, workers 0")
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    recipes = {name: params_file.with_recipe(values, name) for name in values.recipes}
    single = [name for name in recipes if recipes[name].model.members == 1]
    for device, name in itertools.product(devices, single):
        report(recipes[name], name, device, whole, raw)
    to_99(recipes["cnn"], devices[-1], whole)


if __name__ == "__main__":
    main()
