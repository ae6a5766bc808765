"""Models with random weights, sealed as `train` seals them, and versions of them."""

import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from stages.lib import files, network, params, schema
from stages.lib.tracking import registry, runs
from stages.train import write

ROOT = Path(__file__).parents[1]
SCRATCH = tempfile.TemporaryDirectory()


def seal(folder, seed=0, kind="mlp", views=1, run_id="0" * 32):
    """A whole model in `folder`, which is made."""
    shutil.copytree(made(seed, kind, views), folder)
    reseal(folder, run_id=run_id)
    return folder


@functools.cache
def made(seed, kind, views):
    """A folder with such a model; exporting takes seconds."""
    small = params.load(ROOT / "params.yaml").model.model_dump() | {"kind": kind, "views": views}
    small["mlp"]["hidden"], small["cnn"]["channels"] = [16], [4]
    model = schema.Model.model_validate(small)
    torch.manual_seed(seed)
    folder = Path(tempfile.mkdtemp(dir=SCRATCH.name))
    write(network.build(model, 10).eval(), model, 1.5, "0" * 32, folder)
    return folder


def reseal(folder, **changes):
    """Give a model whose files were changed a manifest that fits them."""
    manifest = files.read_json(folder / files.MANIFEST) | changes
    about = {k: v for k, v in manifest.items() if k not in {"files", "content_sha256"}}
    files.write_manifest(folder, about)


def publish(folder, seed, name="digits"):
    """A sealed model in `folder`, logged and registered in the store of the working directory."""
    params_ = {"train": {"seed": seed}}
    lineage = {"resume": None, "params": params_, "inputs": {}, "code": {}}
    with runs.training_run("mlp", **lineage) as run:
        seal(folder, seed, run_id=run.id)
        run.log_model(folder, np.zeros((2, 28, 28), np.uint8))
    content = str(files.read_manifest(folder)["content_sha256"])
    return registry.register(name, folder, run_id=run.id, content_hash=content, metrics={})
