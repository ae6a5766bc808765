"""A trained network as files: `torch.save` weights, ONNX and a manifest, checked after writing.

Loading the ONNX form is in `inference.classifier`; the manifest's format in
`inference.model_manifest`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from digits.datasets.split_files import CLASSES
from digits.evaluation import scores, temperature_scaling
from digits.inference import classifier, model_integrity, model_manifest
from digits.preprocessing.image_format import MNIST, ImageFormat
from digits.project import atomic_files
from digits.project.errors import UserError
from digits.project.params_schema import ModelParams
from digits.tracking.runs import TrackedRun
from digits.training import checkpoint, networks, onnx_export, predictor, training_loop
from digits.training.training_loop import TrainingState

CHECKED = 1000  # images whose logits must be equal in both forms of the model
TOLERANCE = 1e-3  # of the logits, far above rounding errors
BACKGROUND = "background"  # in the description of models that remove it, which older ones do not
NOT_USED = {"name": "resnet18", "pretrained": False}  # in descriptions without such a network


def save_model(
    state: TrainingState, model: ModelParams, run: TrackedRun, folder: Path
) -> dict[str, Any]:
    """Write the best weights to `folder`, whole or not at all; return the validation scores.

    Both files are read again. Raises UserError when their logits differ.
    """
    data = state.validation
    best, images = networks.build_network(model, len(data.classes), data.format), data.images
    best.load_state_dict(training_loop.best_weights(state))
    of: dict[str, Any] = {"classes": data.classes, "form": data.format, "is_mnist": not data.files}
    logits = _predict(best, describe_model(model, 1.0, **of), images)
    temperature = temperature_scaling.fit_temperature(logits, state.validation.labels)
    with atomic_files.atomic_folder(folder) as partial:
        write_model_files(best, model, temperature, run.id, partial, **of)
        calibrated = classifier.load(partial).logits(images)
        read = logits_from_weights(partial / model_integrity.WEIGHTS, images[:CHECKED])
        difference = float(np.abs(read - calibrated[:CHECKED]).max())
        if difference > TOLERANCE:
            problem = f"the ONNX form's logits differ from torch's by {difference:.2g}"
            raise UserError(f"{problem}, above {TOLERANCE}: check the versions of onnx and torch")
    metrics = scores.score(calibrated, state.validation.labels).as_metrics()
    numbers = {f"validation_{name}": value for name, value in metrics.items()}
    return {"parameters": networks.count_parameters(best), "temperature": temperature, **numbers}


def write_model_files(
    network: nn.Module,
    model: ModelParams,
    temperature: float,
    run_id: str,
    folder: Path,
    *,
    classes: Sequence[str] = CLASSES,
    form: ImageFormat = MNIST,
    is_mnist: bool = True,
) -> None:
    """Write `network` in both forms, and their manifest, into `folder`.

    `is_mnist`: if they have the format of MNIST, whether the images are MNIST's own.
    """
    description = describe_model(model, temperature, classes, form, is_mnist)
    weights = checkpoint.torch_bytes({**description, "weights": network.state_dict()})
    (folder / model_integrity.WEIGHTS).write_bytes(weights)
    texts = {name: json.dumps(value, sort_keys=True) for name, value in description.items()}
    whole = _predictor(network, description).eval()
    onnx_export.export_onnx(whole, temperature, texts, folder / model_integrity.ONNX, form)
    finder = {"finder": model_integrity.GLYPH_FINDER} if form.kind == "glyphs" else {}
    model_manifest.write_manifest(folder, {**description, **finder, "run_id": run_id})


def describe_model(
    model: ModelParams,
    temperature: float,
    classes: Sequence[str],
    form: ImageFormat,
    is_mnist: bool,
) -> dict[str, Any]:
    """Return what is stored with a model: how to build it, name its outputs and feed it.

    The format of the images is left out if they are MNIST's, and so are parameters of torchvision's
    networks for another: models from before there were any lack both.
    """
    unused = set() if model.kind == "torchvision" else {"torchvision"}
    side = f"{form.side}x{form.side}"
    glyph = f"uint8, {side}, 0 is background"
    image = f"uint8, RGB of any size, fitted to {side}x{form.channels} by the graph"
    description = {
        "kind": model.kind,
        "network": model.model_dump(mode="json", exclude=unused),
        "classes": list(classes),
        "normalisation": {
            "input": glyph if form.kind == "glyphs" else image,
            "range": [-1.0, 1.0],
            **({BACKGROUND: "removed"} if form.kind == "glyphs" else {}),
        },
        "temperature": temperature,
    }
    return description if is_mnist and form == MNIST else {**description, "format": asdict(form)}


def logits_from_weights(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return calibrated logits by the `torch.save` form of a model. Loading runs no code."""
    saved = torch.load(path, weights_only=True)
    model = ModelParams.model_validate({"torchvision": NOT_USED, **saved["network"]})
    form = model_manifest.image_format(saved)
    network = networks.build_network(model, len(saved["classes"]), form)
    network.load_state_dict(saved["weights"])
    logits = _predict(network, saved, images)
    return np.asarray(logits / np.float32(saved["temperature"]))


def _predict(
    network: nn.Module, description: dict[str, Any], images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    whole = _predictor(network, description)
    return training_loop.predict_logits(whole, images, torch.device("cpu"))


def _predictor(network: nn.Module, description: dict[str, Any]) -> nn.Module:
    """Return a trained network with what comes before it, as its description says."""
    form = model_manifest.image_format(description)
    removes = BACKGROUND in description["normalisation"]
    views = description["network"]["views"]
    return predictor.build_predictor(network, views, form, remove_background=removes)
