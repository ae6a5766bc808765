"""TODO"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from digits.datasets.split_files import CLASSES
from digits.evaluation import scores, temperature_scaling
from digits.inference import classifier, model_integrity, model_manifest
from digits.project import atomic_files
from digits.project.errors import UserError
from digits.project.params_schema import ModelParams
from digits.tracking.runs import TrackedRun
from digits.training import checkpoint, networks, onnx_export, training_loop
from digits.training.networks import TestTimeAugmentation
from digits.training.training_loop import TrainingState

CHECKED = 1000  # pictures on which both forms of the model must agree
TOLERANCE = 1e-3  # of their logits; measured: 1e-6 to 2e-5


def save_model(
    state: TrainingState, model: ModelParams, run: TrackedRun, folder: Path
) -> dict[str, Any]:
    """Write the best weights to `folder`, whole or not at all; return what validation says.

    Both files are read again. Raises UserError when their logits differ.
    """
    best = networks.build_network(model, len(CLASSES))
    best.load_state_dict(training_loop.best_weights(state))
    pictures = state.validation
    raw = training_loop.predict_logits(
        TestTimeAugmentation(best, model.views), pictures.images, torch.device("cpu")
    )
    temperature = temperature_scaling.fit_temperature(raw, pictures.labels)
    with atomic_files.atomic_folder(folder) as partial:
        write_model_files(best, model, temperature, run.id, partial)
        calibrated = classifier.load(partial).logits(pictures.images)
        read = logits_from_weights(partial / model_integrity.WEIGHTS, pictures.images[:CHECKED])
        difference = float(np.abs(read - calibrated[:CHECKED]).max())
        if difference > TOLERANCE:
            found = f"the ONNX form's logits differ from torch's by {difference:.2g}"
            advice = f"at most {TOLERANCE} expected; check the versions of onnx and torch"
            raise UserError(f"{found}, {advice}")
    metrics = scores.score(calibrated, pictures.labels).as_metrics()
    numbers = {f"validation_{name}": value for name, value in metrics.items()}
    return {"parameters": networks.count_parameters(best), "temperature": temperature, **numbers}


def write_model_files(
    fitted: nn.Module, model: ModelParams, temperature: float, run_id: str, folder: Path
) -> None:
    """Write a network in both forms, and their manifest, into `folder`."""
    about = describe_model(model, temperature)
    weights = checkpoint.torch_bytes({**about, "weights": fitted.state_dict()})
    (folder / model_integrity.WEIGHTS).write_bytes(weights)
    texts = {name: json.dumps(value, sort_keys=True) for name, value in about.items()}
    predictor = TestTimeAugmentation(fitted, model.views).eval()
    onnx_export.export_onnx(predictor, temperature, texts, folder / model_integrity.ONNX)
    model_manifest.write_manifest(folder, {**about, "run_id": run_id})


def describe_model(model: ModelParams, temperature: float) -> dict[str, Any]:
    """What a model says of itself: how to build it, name its outputs and feed it."""
    return {
        "kind": model.kind,
        "network": model.model_dump(mode="json"),
        "classes": CLASSES,
        "normalisation": {"input": "uint8, 28x28, 0 is background", "range": [-1.0, 1.0]},
        "temperature": temperature,
    }


def logits_from_weights(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Calibrated logits from the `torch.save` form of a model. Loading runs no code."""
    saved = torch.load(path, weights_only=True)
    model = ModelParams.model_validate(saved["network"])
    built = networks.build_network(model, len(saved["classes"]))
    built.load_state_dict(saved["weights"])
    raw = training_loop.predict_logits(
        TestTimeAugmentation(built, model.views), images, torch.device("cpu")
    )
    return np.asarray(raw / np.float32(saved["temperature"]))
