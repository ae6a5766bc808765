"""Fit one network and save it in both forms; opens the MLflow run.

    python -m stages.train

Killed or interrupted, the same command goes on after the last finished epoch and ends
with the same bytes.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stages.lib import (
    calibration,
    checkpoint,
    classifier,
    dataset,
    engine,
    files,
    hardware,
    network,
    schema,
    scores,
    stage,
)
from stages.lib.dataset import Pictures
from stages.lib.engine import Epoch, Training
from stages.lib.errors import UserError
from stages.lib.tracking import runs

CLASSES = [str(digit) for digit in range(10)]
CHECKED = 1000  # pictures on which both forms of the model must agree
TOLERANCE = 1e-3  # of their logits; measured: 1e-6 to 2e-5
Row = dict[str, Any]


def train(
    model: schema.Model,
    augment: schema.Augment,
    train: schema.Train,
    training: Path = Path("data/splits/train.npz"),
    validation: Path = Path("data/splits/validation.npz"),
    *,
    trained: Path = Path("models/digits"),
    history: Path = Path("metrics/history.csv"),
    metrics: Path = Path("metrics/train.json"),
) -> None:
    """Train `model`, keep the weights that validate best, write them and the numbers.

    Raises UserError when training diverges or when the exported form disagrees.
    """
    sections = {"model": model, "augment": augment, "train": train}
    values = {name: section.model_dump(mode="json") for name, section in sections.items()}
    paths = {"training": training, "validation": validation}
    inputs = {path.as_posix(): files.sha256(path) for path in paths.values()}
    code = stage.source_hashes(Path(__file__))
    decisive: dict[str, Any] = {"params": values, "inputs": inputs, "code": code}
    parts = {name: dataset.load(path) for name, path in paths.items()}
    state = start(model, augment, train, parts)
    key = files.digest([decisive, torch.__version__, str(state.device)])
    saved = checkpoint.load(key) or {"run_id": None, "rows": [], "training": None}
    name = os.environ.get("DVC_EXP_NAME") or model.kind
    with runs.training_run(name, resume=saved["run_id"], **decisive) as run:
        run.log_inputs({path.as_posix(): len(parts[name]) for name, path in paths.items()})
        rows: list[Row] = []
        for rows in _epochs(state, key, saved, run.id):
            run.log_epoch(rows[-1]["epoch"], _numbers(rows[-1]))
        summary = publish(state, model, run, trained)
        # without the seconds, so that equal runs give equal files
        files.write_csv(history, [{k: v for k, v in r.items() if k != "seconds"} for r in rows])
        files.write_json(metrics, {"epochs": len(rows), **summary})
        numbers = _numbers(summary)
        run.log_model(trained, parts["validation"].images[:2], numbers, step=len(rows))
    checkpoint.drop(key)


def start(
    model: schema.Model, augment: schema.Augment, train: schema.Train, parts: dict[str, Pictures]
) -> Training:
    """A network with fresh weights, ready to be fitted."""
    hardware.configure(train)
    fresh = network.build(model, len(CLASSES))
    state = Training(fresh, parts["training"], parts["validation"], train, augment)
    count = network.parameter_count(fresh)
    n = len(parts["training"])
    print(f"{model.kind}: {count:,} parameters, {n:,} pictures, {state.device}")
    return state


def _epochs(state: Training, key: str, saved: Row, run_id: str) -> Iterator[list[Row]]:
    """Fit to the end, from the checkpoint if there is one; yields all rows so far."""
    rows: list[Row] = list(saved["rows"])
    if saved["training"]:
        state.load_state_dict(saved["training"])
        print(f"going on after epoch {state.epoch}, from the checkpoint of an unfinished run")
        yield rows
    for epoch in engine.fit(state):
        rows.append(asdict(epoch))
        checkpoint.save(key, {"run_id": run_id, "rows": rows, "training": state.state_dict()})
        _tell(epoch, rows, state.train.epochs)
        yield rows


def _tell(epoch: Epoch, rows: list[Row], epochs: int) -> None:
    """One line of progress, with the time that is left."""
    left = sum(row["seconds"] for row in rows) / len(rows) * (epochs - epoch.epoch)
    print(
        f"epoch {epoch.epoch:3}/{epochs}  loss {epoch.train_loss:.4f}  "
        f"validation loss {epoch.validation_loss:.4f}, accuracy {epoch.validation_accuracy:.2%}  "
        f"{epoch.seconds:.1f} s, {left:.0f} s left",
        flush=True,
    )


def publish(state: Training, model: schema.Model, run: runs.Run, folder: Path) -> dict[str, Any]:
    """Write the best weights to `folder`, whole or not at all; return what validation says.

    Both files are read again. Raises UserError when their logits differ.
    """
    best = network.build(model, len(CLASSES))
    best.load_state_dict(engine.best_state(state))
    pictures = state.validation
    raw = engine.logits(network.Views(best, model.views), pictures.images, torch.device("cpu"))
    temperature = calibration.temperature(raw, pictures.labels)
    with files.replacing_folder(folder) as partial:
        write(best, model, temperature, run.id, partial)
        calibrated = classifier.load(partial).logits(pictures.images)
        read = torch_logits(partial / classifier.WEIGHTS, pictures.images[:CHECKED])
        difference = float(np.abs(read - calibrated[:CHECKED]).max())
        if difference > TOLERANCE:
            found = f"the ONNX form's logits differ from torch's by {difference:.2g}"
            advice = f"at most {TOLERANCE} expected; check the versions of onnx and torch"
            raise UserError(f"{found}, {advice}")
    metrics = scores.score(calibrated, pictures.labels).as_metrics()
    numbers = {f"validation_{name}": value for name, value in metrics.items()}
    return {"parameters": network.parameter_count(best), "temperature": temperature, **numbers}


def write(
    fitted: nn.Module, model: schema.Model, temperature: float, run_id: str, folder: Path
) -> None:
    """Write a network in both forms, and their manifest, into `folder`."""
    about = describe(model, temperature)
    weights = checkpoint.packed({**about, "weights": fitted.state_dict()})
    (folder / classifier.WEIGHTS).write_bytes(weights)
    texts = {name: json.dumps(value, sort_keys=True) for name, value in about.items()}
    predictor = network.Views(fitted, model.views).eval()
    network.export_onnx(predictor, temperature, texts, folder / classifier.ONNX)
    files.write_manifest(folder, {**about, "run_id": run_id})


def describe(model: schema.Model, temperature: float) -> dict[str, Any]:
    """What a model says of itself: how to build it, name its outputs and feed it."""
    return {
        "kind": model.kind,
        "network": model.model_dump(mode="json"),
        "classes": CLASSES,
        "normalisation": {"input": "uint8, 28x28, 0 is background", "range": [-1.0, 1.0]},
        "temperature": temperature,
    }


def torch_logits(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Calibrated logits from the `torch.save` form of a model. Loading runs no code."""
    saved = torch.load(path, weights_only=True)
    model = schema.Model.model_validate(saved["network"])
    built = network.build(model, len(saved["classes"]))
    built.load_state_dict(saved["weights"])
    raw = engine.logits(network.Views(built, model.views), images, torch.device("cpu"))
    return np.asarray(raw / np.float32(saved["temperature"]))


def _numbers(row: Row) -> dict[str, float]:
    """What of `row` MLflow can plot."""
    return {k: float(v) for k, v in row.items() if isinstance(v, int | float) and k != "epoch"}


if __name__ == "__main__":
    stage.main(train)
