"""Each network of torchvision at 32 pixels: parameters, operators, seconds of a step and an image.

`python -m tests.bench.bench_networks [NAME...]`. Fails where a network cannot be exported, is
refused by the check of what is loaded, or gives other logits than torch.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

import numpy as np

from digits.evaluation.latency import measure_latencies
from digits.inference import classifier
from digits.preprocessing.image_format import ImageFormat
from digits.project.params_schema import TorchvisionParams
from digits.training import save_model
from tests import sealed

FORM = ImageFormat("images", 32, 3)
NAMES = get_args(TorchvisionParams.model_fields["name"].annotation)


def measure(name, folder):
    """Print a line about the network."""
    start = time.perf_counter()
    sealed.seal(folder, kind=name, classes=tuple("abc"), form=FORM)
    seconds = time.perf_counter() - start
    images = np.random.default_rng(0).integers(0, 256, (8, *FORM.shape), np.uint8)
    logits = classifier.load(folder).logits(images)
    read = save_model.logits_from_weights(folder / "weights.pt", images)
    difference = float(np.abs(read - logits).max())
    assert difference < save_model.TOLERANCE, difference
    size = (folder / "model.onnx").stat().st_size / 1e6
    latency = measure_latencies([folder], images[:1])[0]
    print(
        f"{name:20} {size:6.1f} MB  exported in {seconds:4.1f} s  {latency * 1e3:6.2f} ms an "
        f"image  difference {difference:.1e}",
        flush=True,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for number, name in enumerate(sys.argv[1:] or NAMES):
            measure(name, Path(scratch) / str(number))
