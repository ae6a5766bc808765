"""Train one network, save it in both forms, and log it as a run: the whole stage `train`.

After a kill or Ctrl-C the same command continues behind the last finished epoch and ends with
the same bytes. The epochs themselves are in `training_loop`, the files in `save_model`.
"""

import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from digits.datasets import split_files
from digits.datasets.split_files import LabelledImages
from digits.evaluation import scores
from digits.preprocessing.class_names import are_digits
from digits.project import atomic_files, code_hash, hashing
from digits.project.params_schema import AugmentParams, ModelParams, TrainParams
from digits.tracking import metric_names, runs
from digits.training import checkpoint, device, networks, training_loop
from digits.training.save_model import save_model
from digits.training.training_loop import EpochRecord, TrainingState

Row = dict[str, Any]
GPU_CHECKPOINTS = 1.0  # seconds between two


def train(
    model: ModelParams,
    augment: AugmentParams,
    train: TrainParams,
    training: Path,
    validation: Path,
    *,
    trained: Path,
    history: Path,
    metrics: Path,
) -> None:
    """Train `model`; write the weights with the best validation accuracy, and the numbers.

    Raises UserError when training diverges or when the two forms of the model disagree.
    """
    paths = {"training": training, "validation": validation}
    inputs = (*paths.values(), *_pretrained_files(model))
    sections = {"model": model, "augment": augment, "train": train}
    decisive: dict[str, Any] = {
        "params": {name: section.model_dump(mode="json") for name, section in sections.items()},
        "inputs": {path.as_posix(): hashing.file_sha256(path) for path in inputs},
        "code": code_hash.source_hashes(Path(__file__)),
    }
    parts = {name: split_files.load(path) for name, path in paths.items()}
    state = start_training(model, augment, train, parts)
    key = checkpoint.key(decisive, str(state.device))
    saved = checkpoint.load(key) or {"run_id": None, "rows": [], "training": None}
    name = os.environ.get("DVC_EXP_NAME") or model.kind
    with runs.tracked_run(name, resume=saved["run_id"], **decisive) as run:
        run.log_inputs({path.as_posix(): len(parts[name]) for name, path in paths.items()})
        for rows in _epochs(state, key, saved, run.id):
            run.log_epoch(rows[-1]["epoch"], metric_names.epoch_metrics(rows[-1]))
        fitted = time.monotonic()
        summary = save_model(state, model, run, trained)
        atomic_files.write_csv(history, _without_seconds(rows))
        atomic_files.write_json(metrics, scores.comparable(summary))
        run.log_model(trained, parts["validation"].images[:2], _metrics(summary), step=len(rows))
        run.describe("Model", _describe(model.kind, summary, len(rows), parts["training"]))
        _print_times(rows, time.monotonic() - fitted)
    checkpoint.delete(key)


def _pretrained_files(model: ModelParams) -> list[Path]:
    """Return the file of the weights that training begins with, if it is a file."""
    path = model.torchvision.pretrained
    is_used = model.kind == "torchvision" and isinstance(path, str)
    return [Path(str(path))] if is_used and Path(str(path)).is_file() else []


def start_training(
    model: ModelParams, augment: AugmentParams, train: TrainParams, parts: dict[str, LabelledImages]
) -> TrainingState:
    """Return what `new_state` does, and print how large it is."""
    state = new_state(model, augment, train, parts)
    count, n = networks.count_parameters(state.network), len(parts["training"])
    print(f"{model.kind}: {count:,} parameters, {n:,} images, {state.device}")
    return state


def new_state(
    model: ModelParams, augment: AugmentParams, train: TrainParams, parts: dict[str, LabelledImages]
) -> TrainingState:
    """Return a network with new weights, ready to be fitted.

    Networks of torchvision train on whole batches, whatever `train.shard` is. Raises UserError
    where the network, its pretrained weights or the augmentation do not fit the images.
    """
    device.configure_torch(train)
    data = parts["training"]
    network = networks.build_network(model, len(data.classes), data.format)
    if model.kind == "torchvision":
        from digits.training import torchvision_networks  # 3 s: torchvision

        torchvision_networks.load_pretrained(network, model.torchvision)
        train = train.model_copy(update={"shard": 0})
    return TrainingState(network, data, parts["validation"], train, augment)


def _epochs(state: TrainingState, key: str, saved: Row, run_id: str) -> Iterator[list[Row]]:
    """Fit to the end, from the checkpoint if there is one; yield all rows after each epoch."""
    rows: list[Row] = list(saved["rows"])
    if saved["training"]:
        state.load_state_dict(saved["training"])
        print(f"continuing after epoch {state.epoch}, from the checkpoint of an unfinished run")
        yield rows
    saved_at = -math.inf
    for epoch in training_loop.fit(state):
        rows.append(asdict(epoch))
        # an epoch on a GPU may be shorter than the writing of a checkpoint
        if state.device.type == "cpu" or time.monotonic() > saved_at + GPU_CHECKPOINTS:
            checkpoint.save(key, {"run_id": run_id, "rows": rows, "training": state.state_dict()})
            saved_at = time.monotonic()
        _print_progress(epoch, rows, state.train.epochs)
        yield rows


def _print_progress(epoch: EpochRecord, rows: list[Row], epochs: int) -> None:
    """Print the numbers of an epoch, and the time that is left."""
    left = sum(row["seconds"] for row in rows) / len(rows) * (epochs - epoch.epoch)
    loss, accuracy = f"{epoch.validation_loss:.4f}", f"{epoch.validation_accuracy:.2%}"
    numbers = f"loss {epoch.train_loss:.4f}  validation loss {loss}, accuracy {accuracy}"
    times = f"{epoch.seconds:.1f} s, {left:.0f} s left"
    print(f"epoch {epoch.epoch:3}/{epochs}  {numbers}  {times}", flush=True)


def _without_seconds(rows: list[Row]) -> list[Row]:
    """Return the rows of a file that is equal for equal runs."""
    return [{key: row[key] for key in row if key != "seconds"} for row in rows]


def _print_times(rows: list[Row], seconds: float) -> None:
    """Print which epoch is kept, and where the time went; `seconds` came after the last epoch."""
    best = max(rows, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
    accuracy = f"{best['validation_accuracy']:.2%}"
    print(f"kept: epoch {best['epoch']}, which has the best validation accuracy, {accuracy}")
    epochs = sum(row["seconds"] for row in rows)
    print(f"{epochs:.0f} s for all epochs, {seconds:.0f} s to export, check and log the model")


def _metrics(summary: Row) -> dict[str, float]:
    """Return the numbers of the finished model as metrics of its run."""
    validation = {k.removeprefix("validation_"): v for k, v in summary.items()}
    size = {f"model/{key}": float(validation.pop(key)) for key in ("parameters", "temperature")}
    return metric_names.score_metrics("validation", validation) | size


def _describe(kind: str, summary: Row, epochs: int, training: LabelledImages) -> str:
    """Return the first sentences of the run's description."""
    size = f"A network of kind {kind} with {summary['parameters']:,} parameters"
    passes = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    classes = training.classes
    content = "the ten digits" if are_digits(classes) else f"{len(classes)} classes"
    trained = f"{size} learned {len(training):,} images of {content} in {passes}."
    return f"{trained} Validation: {scores.describe_accuracy(summary, 'validation_')}."
