"""How many of 100 wrong labels, planted in MNIST, `digits data --labels` shows.

    python -m tests.bench.bench_labels [recipe, mlp by default]

Trains the recipe for some minutes on 54,000 training pictures. A wrong label is any other.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np

from digits.datasets.idx_files import read_mnist
from digits.datasets.split_files import LabelledImages
from digits.evaluation import label_doubts
from digits.inference import classifier
from digits.project import params_file
from digits.training.save_model import save_model
from tests.variants import trained

PLANTED = 100


def main():
    """Print how many planted labels are among those that are shown."""
    recipe = sys.argv[1] if len(sys.argv) > 1 else "mlp"
    params = params_file.with_recipe(params_file.load_params(Path("params.yaml")), recipe)
    official, rng = read_mnist(Path("data/raw"), train=True), np.random.default_rng(0)
    labels = official.labels.copy()
    wrong = rng.choice(54000, PLANTED, replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, PLANTED)) % 10
    bounds = {"train": slice(54000), "validation": slice(54000, None)}
    splits = {k: LabelledImages(official.images[s], labels[s]) for k, s in bounds.items()}
    state = trained(params, splits["train"], splits["validation"])
    with TemporaryDirectory() as scratch:
        save_model(state, params.model, SimpleNamespace(id="0" * 32), Path(scratch, "model"))
        doubts = label_doubts.rank_labels(classifier.load(Path(scratch, "model")), splits)
    shown = {doubt.file for doubt in doubts.labels}
    found = sum(f"train {i}" in shown for i in wrong)
    print(f"{found} of {PLANTED} wrong labels are among the {len(shown)} that are shown")


if __name__ == "__main__":
    main()
