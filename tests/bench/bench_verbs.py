"""How long a person waits for a command, compared with the imports that it cannot do without.

    python -m tests.bench.bench_verbs [rounds, 9 by default] [cpu]

Each command and its floor run in turns, as processes of their own. Printed are the median
seconds of both, and the median of their ratio with its 95 % interval. On a busy machine, give
`cpu` as second argument: then the seconds are those of the processor. Needs a registered model in
this checkout's store, or on the server that MLFLOW_TRACKING_URI names; so it measures a folder
without a checkout, with the Python of an environment of digits[registry]. Five minutes.
"""

import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from tests.strokes import page

RESAMPLES = 2000
NOTHING = "pass"
READING = "import cv2, numpy, onnxruntime, PIL.Image"
REGISTRY = "from mlflow import MlflowClient"
COMMANDS = {  # arguments of `digits`, and the imports of its floor
    "--help": NOTHING,
    "--version": NOTHING,
    "predict IMAGE": READING,
    "predict --model champion IMAGE": READING,
    "versions": REGISTRY,
    "history": REGISTRY,
    "lineage champion": REGISTRY,
    "pull champion --to FOLDER": REGISTRY,
}


def main():
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    print(f"{'':32}{'s':>7}{'floor':>8}{'ratio':>7}")
    with tempfile.TemporaryDirectory() as name:
        image = Path(name, "image.png")
        Image.fromarray(page("7", np.random.default_rng(0))).save(image)
        for words, imports in COMMANDS.items():
            places = {"IMAGE": str(image), "FOLDER": f"{name}/model"}
            command = ["-m", "digits.cli", *(places.get(word, word) for word in words.split())]
            pairs = [(wall(*command), wall("-c", imports)) for _ in range(rounds + 1)][1:]
            low, ratio, high = interval([a / b for a, b in pairs])
            seconds, floor = (statistics.median(times) for times in zip(*pairs, strict=True))
            print(f"{words:32}{seconds:7.2f}{floor:8.2f}{ratio:7.2f}  {low:.2f} to {high:.2f}")


def wall(*arguments):
    """The seconds that a Python process takes: of the clock, or of the processor."""
    start, before = time.perf_counter(), psutil.Process().cpu_times()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = psutil.Process().cpu_times()
    if "cpu" not in sys.argv[2:]:
        return time.perf_counter() - start
    parts = after.children_user - before.children_user, after.children_system
    return sum(parts) - before.children_system


def interval(ratios):
    """The median of `ratios` between the bounds of its 95 % interval, by the bootstrap."""
    draw = random.Random(0)
    medians = sorted(
        statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES)
    )
    tail = RESAMPLES // 40
    return medians[tail], statistics.median(ratios), medians[-tail - 1]


if __name__ == "__main__":
    main()
