"""Models with random weights, sealed as `train` seals them, and versions of them."""

import functools
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from stages.lib import checkpoint, classifier, files, network, params, schema
from stages.lib.tracking import registry, runs
from stages.train import describe

ROOT = Path(__file__).parents[1]


def seal(folder, seed=0, kind="mlp", views=1, run_id="0" * 32):
    """A whole model in `folder`, which is made."""
    about, contents = made(seed, kind, views)
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    files.write_manifest(folder, {**about, "run_id": run_id})
    return folder


@functools.cache
def made(seed, kind, views):
    """What a model says of itself, and the bytes of its files; exporting takes seconds."""
    small = params.load(ROOT / "params.yaml").model.model_dump() | {"kind": kind, "views": views}
    small["mlp"]["hidden"], small["cnn"]["channels"] = [16], [4]
    model = schema.Model.model_validate(small)
    torch.manual_seed(seed)
    net = network.build(model, 10).eval()
    about = describe(model, 1.5)
    texts = {name: json.dumps(value, sort_keys=True) for name, value in about.items()}
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / classifier.ONNX
        network.export_onnx(network.Views(net, views).eval(), 1.5, texts, graph)
        weights = checkpoint.packed({**about, "weights": net.state_dict()})
        return about, {classifier.WEIGHTS: weights, classifier.ONNX: graph.read_bytes()}


def reseal(folder):
    """Give a model whose files were changed a manifest that fits them."""
    manifest = files.read_json(folder / files.MANIFEST)
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
