"""How long a person waits for `digits predict`, and what a large folder takes.

    python -m tests.bench.bench_predict [folder of a model, models/digits by default]

The first answer is that of a fresh process, the median of five. The folders hold links to ten
drawn pages of 100 x 100 pixels.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests.strokes import page

COUNTS = (1_000, 20_000, 100_000)  # pictures in a folder
MEMORY = "import resource, sys; from digits.cli.main import main\ntry: main()\nfinally:\n"
MEMORY += " print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"


def main():
    """Print the times and the memory."""
    model = Path(sys.argv[1] if len(sys.argv) > 1 else "models/digits").resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder)
        first = ("-m", "digits.cli", "predict", folder / "0.png", "--model", model)
        times = [wall(*first) for _ in range(5)]
        print(f"first answer: {statistics.median(times):.2f} s")
        for count in COUNTS:
            fill(folder, count)
            taken, memory = large(folder / str(count), model)
            rate = f"{count / taken:.0f} pictures per second"
            print(f"{count:,} pictures: {rate}, at most {memory / 1024:.0f} MiB of memory")


def draw(folder):
    """One page of each digit."""
    for digit in range(10):
        pixels = page(str(digit), np.random.default_rng(digit), shape=(100, 100), pen=4)
        Image.fromarray(pixels).save(folder / f"{digit}.png", compress_level=1)


def fill(folder, count):
    """A folder with `count` links to the pages."""
    (folder / str(count)).mkdir()
    for i in range(count):
        (folder / str(count) / f"{i:06}.png").hardlink_to(folder / f"{i % 10}.png")


def wall(*arguments):
    """The seconds that a Python process takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def large(folder, model):
    """The seconds that a folder takes, and the most memory in KiB."""
    start = time.perf_counter()
    command = [sys.executable, "-c", MEMORY, "predict", folder, "--csv", "--model", model]
    done = subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    return time.perf_counter() - start, int(done.stderr.split()[-1])


if __name__ == "__main__":
    main()
