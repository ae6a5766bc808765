"""Models with random weights and a valid manifest, and registered versions of them."""

import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from digits.datasets.split_files import CLASSES
from digits.inference import model_manifest
from digits.preprocessing.image_format import MNIST
from digits.project import atomic_files, params_file
from digits.project.params_schema import ModelParams
from digits.registry import registration
from digits.tracking import runs
from digits.training import networks
from digits.training.save_model import write_model_files

ROOT = Path(__file__).parents[1]
SCRATCH = tempfile.TemporaryDirectory()


def seal(folder, seed=0, kind="mlp", views=1, run_id="0" * 32, **data):
    """Create `folder` with a whole model in it, and return it; `data`: classes and form."""
    shutil.copytree(sealed_folder(seed, kind, views, **data), folder)
    reseal(folder, run_id=run_id)
    return folder


@functools.cache
def sealed_folder(seed, kind, views, classes=tuple(CLASSES), form=MNIST):
    """Return a folder with such a model; cached, since exporting takes seconds."""
    small = params_file.load_params(ROOT / "params.yaml").model.model_dump()
    small |= {"kind": "torchvision" if "_" in kind or "net" in kind else kind, "views": views}
    if small["kind"] == "torchvision":
        small["torchvision"]["name"] = kind
    small["mlp"]["hidden"], small["cnn"]["channels"] = [16], [4]
    model = ModelParams.model_validate(small)
    torch.manual_seed(seed)
    folder = Path(tempfile.mkdtemp(dir=SCRATCH.name))
    network = networks.build_network(model, len(classes), form).eval()
    write_model_files(network, model, 1.5, "0" * 32, folder, classes=classes, form=form)
    return folder


def reseal(folder, **changes):
    """Write a manifest that fits the files of a model, which were changed."""
    manifest = atomic_files.read_json(folder / model_manifest.MANIFEST) | changes
    description = {k: v for k, v in manifest.items() if k not in {"files", "content_sha256"}}
    model_manifest.write_manifest(folder, description)


def publish(folder, seed, name="digits"):
    """Seal a model in `folder`; log and register it in the store of the working directory."""
    lineage = {"params": {"train": {"seed": seed}}, "inputs": {}, "code": {}}
    with runs.tracked_run("mlp", resume=None, **lineage) as run:
        seal(folder, seed, run_id=run.id)
        run.log_model(folder, np.zeros((2, 28, 28), np.uint8))
    content = str(model_manifest.check_files(folder)["content_sha256"])
    return registration.register_version(
        name, folder, run_id=run.id, content_hash=content, metrics={}
    )
