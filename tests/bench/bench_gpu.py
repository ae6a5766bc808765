"""How fast training is on a GPU, and whether it keeps its promises there.

    python -m tests.bench.bench_gpu [folder of the raw data, data/raw by default]

Each recipe is trained twice, to the end, on 54,000 images with 6,000 for validation: the time of
the epochs with the recording of the step, accuracy, and whether the bytes of the weights are
equal. Then: a training that is resumed from a checkpoint, one whose steps are not recorded, the
recipe SOON to 99 % of the test images with 20 seeds, and committees, whose members train side
by side. Less than four minutes.
"""

from digits.project.thread_environment import set_thread_environment

set_thread_environment()  # before torch is imported
# ruff: noqa: E402
# isort: split
import hashlib
import io
import statistics
import sys
import time
from pathlib import Path
from unittest import mock

import torch

from digits.datasets.idx_files import read_mnist
from digits.datasets.split_files import LabelledImages
from digits.project import params_file
from digits.training import checkpoint, networks, training_loop
from digits.training.device import configure_torch
from digits.training.training_loop import TrainingState
from digits.training.training_step import TrainingStep
from tests.bench.bench_epoch import pictures

SEEDS = 20
MEMBERS = 1, 4, 16
SOON = {  # to 99 % of the test images
    "model.kind": "cnn",
    "model.views": 1,
    "model.cnn.channels": [32, 64],
    "augment.flagged_ones": 0,
    "train.batch_size": 512,
    "train.learning_rate": 0.01,
    "train.epochs": 3,
    "train.label_smoothing": 0.05,
    **{f"augment.{name}": 0.0 for name in ("rotation", "scale", "shear", "elastic", "gain")},
}


def start(values, parts):
    """A training as `values` describe it."""
    configure_torch(values.train)
    network = networks.build_network(values.model, 10)
    return TrainingState(network, *parts, values.train, values.augment)


def fit(state):
    """Seconds of all remaining epochs, recording included, and their records."""
    torch.cuda.synchronize()
    begin = time.perf_counter()
    records = list(training_loop.fit(state))
    return time.perf_counter() - begin, records


def fingerprint(state):
    """The start of the SHA-256 of the last weights."""
    weights = {k: v.cpu() for k, v in state.network.state_dict().items()}
    return hashlib.sha256(checkpoint.torch_bytes(weights)).hexdigest()[:12]


def twice(name, values, parts):
    """Train a recipe twice; print time, accuracy, and whether the bytes are equal."""
    found = []
    for _ in range(2):
        state = start(values, parts)
        seconds, records = fit(state)
        found.append((seconds, fingerprint(state)))
    epoch = statistics.median(r.seconds for r in records)
    soon = next((r.epoch for r in records if r.validation_accuracy >= 0.99), None)
    equal = "equal bytes" if found[0][1] == found[1][1] else "OTHER BYTES"
    print(
        f"{name:6} {len(records)} epochs in {found[0][0]:.2f} and {found[1][0]:.2f} s, "
        f"median {epoch:.3f} s; best validation {state.best['accuracy']:.2%}, 99 % after epoch "
        f"{soon}; {equal} ({found[0][1]})",
        flush=True,
    )


def resumed(name, values, parts):
    """Compare a whole training with one that continues from a checkpoint, and with plain steps."""
    whole, first, second, plain = (start(values, parts) for _ in range(4))
    fit(whole)
    next(training_loop.fit(first))
    saved = io.BytesIO(checkpoint.torch_bytes(first.state_dict()))
    second.load_state_dict(torch.load(saved, "cpu", weights_only=True))
    fit(second)
    with mock.patch.object(TrainingStep, "take", TrainingStep._compute):
        fit(plain)
    prints = [fingerprint(state) for state in (whole, second, plain)]
    told = ["equal bytes" if p == prints[0] else "OTHER BYTES" for p in prints[1:]]
    print(f"{name}: resumed {told[0]}, without recording {told[1]}", flush=True)


def to_99(values, parts, test):
    """Train SOON with SEEDS seeds; print times and accuracy on the test images."""
    times, shares = [], []
    for seed in range(SEEDS):
        changes = {**SOON, "train.seed": seed}
        state = start(params_file.with_changes(values, changes, "bench"), parts)
        times.append(fit(state)[0])
        logits = training_loop.predict_logits(state.predictor, test.images, state.device)
        shares.append(float((logits.argmax(1) == test.labels).mean()))
    print(
        f"to 99 %: {statistics.mean(times):.3f} s (greatest {max(times):.3f}), test accuracy "
        f"{statistics.mean(shares):.2%} (least {min(shares):.2%}), mean of {SEEDS} seeds"
    )


def side_by_side(name, values, parts):
    """Print the epochs per second of committees."""
    for members in MEMBERS:
        changes = {"model.members": members, "train.epochs": 4}
        _, records = fit(start(params_file.with_changes(values, changes, "bench"), parts))
        rate = members / statistics.median(r.seconds for r in records[1:])
        print(f"{name}, {members:2} networks at once: {rate:.1f} epochs per second", flush=True)


def main():
    """Print everything."""
    raw = Path(sys.argv[1] if len(sys.argv) > 1 else "data/raw")
    values, whole, test = params_file.load_params(), pictures(raw), read_mnist(raw, train=False)
    cuts = slice(6000, None), slice(6000)
    parts = [LabelledImages(whole.images[cut], whole.labels[cut]) for cut in cuts]
    if not torch.cuda.is_available():
        sys.exit("torch finds no GPU")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    recipes = {
        name: params_file.with_changes(
            params_file.with_recipe(values, name), {"train.device": "cuda"}, name
        )
        for name in values.recipes
    }
    for name, recipe in recipes.items():
        twice(name, recipe, parts)
    short = {"train.epochs": 3, "model.mlp.dropout": 0.1, "model.cnn.dropout": 0.1}
    for name, recipe in recipes.items():
        resumed(name, params_file.with_changes(recipe, short, name), parts)
    to_99(recipes["mlp"], parts, test)
    for name in ("mlp", "cnn"):
        side_by_side(name, recipes[name], parts)
    print(f"most memory: {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
