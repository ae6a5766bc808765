"""Tiny real models that differ from one trained network in one known way each."""

import json

import torch

from stages.lib import calibration, checkpoint, classifier, engine, files, hardware, network, params
from stages.train import describe

# name: what is changed; accuracies on the workspace's 500 validation pictures beside it
CHANGES = {
    "good": {},  # 0.84
    "same": {"noise": 0.001},  # 0.84: other bytes, the same answers
    "poor": {"noise": 1.0},  # 0.68
    "blind": {"bias": 20.0},  # 0.77: never says 3
    "loud": {"sharpness": 20.0},  # 0.84: always certain
    "slow": {"views": 9},  # 0.85
}


class Variants:
    """Makes each model once: `variants["poor"]` is its folder."""

    def __init__(self, root, folder, training, validation):
        values = params.read(root / "params.yaml")
        values["model"]["mlp"]["hidden"] = [32]
        values["train"] |= {"epochs": 3, "batch_size": 100, "device": "cpu", "threads": 1}
        self._params, self._folder = params.check(values, "params.yaml"), folder
        hardware.configure(self._params.train)
        net = network.build(self._params.model, 10)
        state = engine.Training(net, training, validation, self._params.train, self._params.augment)
        for _ in engine.fit(state):
            pass
        self._weights = engine.best_state(state)
        raw = engine.logits(net.eval(), validation.images, torch.device("cpu"))
        self._temperature = calibration.temperature(raw, validation.labels)

    def __getitem__(self, name):
        """The folder of the model called `name`."""
        if not (self._folder / name).exists():
            self._make(self._folder / name, **CHANGES[name])
        return self._folder / name

    def _make(self, folder, noise=0.0, bias=0.0, sharpness=1.0, views=1):
        model = self._params.model.model_copy(update={"views": views})
        net = network.build(model, 10)
        net.load_state_dict(self._changed(noise, bias))
        temperature = self._temperature / sharpness
        about = describe(model, temperature)
        folder.mkdir()
        packed = checkpoint.packed({**about, "weights": net.state_dict()})
        (folder / classifier.WEIGHTS).write_bytes(packed)
        texts = {key: json.dumps(value, sort_keys=True) for key, value in about.items()}
        predictor = network.Views(net.eval(), views).eval()
        network.export_onnx(predictor, temperature, texts, folder / classifier.ONNX)
        files.write_manifest(folder, {**about, "run_id": files.digest(folder.name)[:32]})

    def _changed(self, noise, bias):
        """The trained weights with noise on the matrices and less liking for 3."""
        generator = torch.Generator().manual_seed(0)
        changed = {k: v.clone() for k, v in self._weights.items()}
        for value in changed.values():
            if value.is_floating_point() and value.dim() == 2:
                value.add_(noise * value.std() * torch.randn(value.shape, generator=generator))
        changed[[k for k in changed if k.endswith("bias")][-1]][3] -= bias
        return changed
