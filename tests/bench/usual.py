"""The usual way to train on MNIST: torchvision, transforms, DataLoader, float32, Adam.

`bench_epoch` runs it as a process of its own, because importing torch before `stages`
leaves OpenMP as torch sets it up, which is what a plain script would have:

    python -m tests.bench.usual mlp data/raw   (a recipe of params.yaml)

It reads the word `go` from its input as often as it comes, and answers each with the
seconds that an epoch of 54,000 pictures would take, from PICTURES of them.
"""

import sys
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

from digits.project import params_file
from digits.training import networks

BATCH = 64
PICTURES = 100 * BATCH


def epoch(net, loader, optimiser):
    """Seconds per 54,000 pictures of the loop that tutorials show."""
    net.train()
    start = time.perf_counter()
    for step, (pictures, labels) in enumerate(loader, start=1):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(pictures), labels).backward()
        optimiser.step()
        if step * BATCH == PICTURES:
            break
    return (time.perf_counter() - start) * 54_000 / PICTURES


def main(name, raw):
    """Answer each `go` with a time."""
    net = networks.build_network(params_file.with_recipe(params_file.load_params(), name).model, 10)
    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    loader = DataLoader(MNIST(raw, transform=steps), batch_size=BATCH, shuffle=True)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    for line in sys.stdin:
        if line.strip() == "go":
            print(epoch(net, loader, optimiser), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
