"""Small trained models that differ from one network in one known way each."""

import torch

from digits.evaluation import temperature_scaling
from digits.project import hashing
from digits.training import networks, training_loop
from digits.training.save_model import write_model_files
from digits.training.train_model import start_training

# name: the change, and beside it the accuracy on the workspace's 500 validation images
CHANGES = {
    "good": {},  # 0.84
    "same": {"noise": 0.001},  # 0.84: other bytes, the same predictions
    "poor": {"noise": 1.0},  # 0.68
    "blind": {"bias": 20.0},  # 0.77: never predicts 3
    "loud": {"sharpness": 20.0},  # 0.84: its confidence is always high
    "slow": {"views": 9},  # 0.85
}


def trained(values, training, validation):
    """Return the state after a whole training."""
    parts = {"training": training, "validation": validation}
    state = start_training(values.model, values.augment, values.train, parts)
    for _ in training_loop.fit(state):
        pass
    return state


class Variants:
    """Folders of the models, each made once: `variants["poor"]`."""

    def __init__(self, values, once, training, validation):
        self._model, self._once = values.model, once
        state = trained(values, training, validation)
        self._weights = training_loop.best_weights(state)
        raw = training_loop.predict_logits(state.predictor, validation.images, torch.device("cpu"))
        self._temperature = temperature_scaling.fit_temperature(raw, validation.labels)

    def __getitem__(self, name):
        """Return the folder of the model called `name`."""
        return self._once(name, lambda folder: self._write(folder, **CHANGES[name]))

    def _write(self, folder, noise=0.0, bias=0.0, sharpness=1.0, views=1):
        model = self._model.model_copy(update={"views": views})
        net = networks.build_network(model, 10)
        net.load_state_dict(self._changed(noise, bias))
        folder.mkdir()
        run_id = hashing.json_sha256(folder.name)[:32]
        write_model_files(net.eval(), model, self._temperature / sharpness, run_id, folder)

    def _changed(self, noise, bias):
        """Return the trained weights with noise on the matrices and a lower bias of class 3."""
        generator = torch.Generator().manual_seed(0)
        changed = {k: v.clone() for k, v in self._weights.items()}
        for value in changed.values():
            if value.is_floating_point() and value.dim() == 2:
                value.add_(noise * value.std() * torch.randn(value.shape, generator=generator))
        changed[[k for k in changed if k.endswith("bias")][-1]][3] -= bias
        return changed
