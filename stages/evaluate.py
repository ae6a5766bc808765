"""Score the saved model on the test pictures, once; numbers and pictures into its run.

python -m stages.evaluate
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from stages.lib import (
    classifier,
    corruptions,
    dataset,
    engine,
    files,
    network,
    plots,
    schema,
    scores,
    stage,
)
from stages.lib.classifier import Classifier
from stages.lib.dataset import Pictures
from stages.lib.errors import UserError
from stages.lib.tracking import runs

CHECKED = 1000  # test pictures on which both saved forms are compared
SHOWN = plots.ROWS * plots.COLUMNS
Floats = NDArray[np.floating]
Row = dict[str, Any]


def evaluate(
    evaluate: schema.Evaluate,
    trained: Path = Path("models/digits"),
    test: Path = Path("data/splits/test.npz"),
    history: Path = Path("metrics/history.csv"),
    *,
    metrics: Path = Path("metrics/evaluate.json"),
    classes: Path = Path("metrics/classes.csv"),
    predictions: Path = Path("metrics/predictions.csv"),
    reliability: Path = Path("metrics/reliability.csv"),
    robustness: Path = Path("metrics/robustness.csv"),
    pictures: Path = Path("metrics/pictures"),
) -> None:
    """Write what `trained` scores on `test`, and log the same into the run that made it.

    Raises UserError when the model or the pictures are missing or damaged.
    """
    model, part = classifier.load(trained), dataset.load(test)
    with runs.resume_run(str(model.manifest["run_id"])) as run:
        logits = model.logits(part.images)
        gap = np.abs(torch_logits(trained, part.images[:CHECKED]) - logits[:CHECKED]).max()
        found = scores.score(logits, part.labels)
        damaged = list(corrupted_scores(model, part, evaluate))
        numbers = summary(found, damaged, float(gap))
        probabilities = softmax(logits, axis=1)
        by_class = scores.per_class(part.labels, logits.argmax(1), model.classes)
        files.write_json(metrics, numbers)
        write_table(by_class, classes)
        write_table(scores.reliability(probabilities, part.labels), reliability)
        write_table(damaged, robustness)
        write_table(list(_predictions(model, part, probabilities)), predictions)
        with files.replacing_folder(pictures) as folder:
            plots.learning_curves(read_history(history), folder / "learning_curves.png")
            plots.robustness(damaged, found.accuracy, folder / "robustness.png")
            draw(folder, model, part, probabilities)
        run.log_inputs({test.as_posix(): len(part)})
        run.log_metrics(_flat(numbers, by_class, damaged))
        run.log_files([metrics, classes, predictions, reliability], "evaluation")
        run.log_files([robustness, history, *sorted(pictures.iterdir())], "evaluation")
    tell(found, numbers)


def summary(found: scores.Scores, damaged: list[Row], gap: float) -> dict[str, Any]:
    """What metrics/evaluate.json holds."""
    corrupted = fmean(row["accuracy"] for row in damaged)
    rounded = {"corrupted_accuracy": round(corrupted, 6), "onnx_max_difference": round(gap, 9)}
    return found.as_metrics() | rounded


def tell(found: scores.Scores, numbers: dict[str, Any]) -> None:
    """What a person wants to know first."""
    low, high = found.accuracy_interval
    accuracy = f"{found.accuracy:.2%}, 95 % interval {low:.2%} to {high:.2%}"
    print(f"test accuracy {accuracy}, n = {found.n:,}")
    print(f"corrupted pictures: {numbers['corrupted_accuracy']:.2%}, the mean of all corruptions")
    gap = numbers["onnx_max_difference"]
    print(f"loss {found.loss:.4f}, ECE {found.ece:.2%}, torch and ONNX differ by {gap:.1g} at most")


def torch_logits(folder: Path, images: NDArray[np.uint8]) -> Floats:
    """Calibrated logits from the `torch.save` form of the model in `folder`.

    Raises UserError when the file is not what train writes. Loading runs no code.
    """
    path = folder / classifier.WEIGHTS
    try:
        saved = torch.load(path, weights_only=True)
        model = schema.Model.model_validate(saved["network"])
        built = network.build(model, len(saved["classes"]))
        built.load_state_dict(saved["weights"])
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} cannot be loaded ({reason}); `dvc repro -f train`") from error
    predictor = network.Views(built, model.views)
    raw = engine.logits(predictor, images, torch.device("cpu"))
    return np.asarray(raw / saved["temperature"])


def _predictions(model: Classifier, part: Pictures, probabilities: Floats) -> Iterator[Row]:
    """One row per test picture, for `dvc plots` and for comparing two models."""
    predicted = probabilities.argmax(1)
    for i, (label, answer) in enumerate(zip(part.labels, predicted, strict=True)):
        yield {
            "picture": i,
            "actual": model.classes[label],
            "predicted": model.classes[answer],
            "probability": round(float(probabilities[i, answer]), 6),
        }


def corrupted_scores(model: Classifier, part: Pictures, evaluate: schema.Evaluate) -> Iterator[Row]:
    """One row per corruption: the accuracy on the first test pictures, spoilt by it."""
    images, labels = part.images[: evaluate.corrupted], part.labels[: evaluate.corrupted]
    for name in corruptions.CORRUPTIONS:
        spoilt = corruptions.corrupted(images, name, evaluate.seed)
        right = int((model.logits(spoilt).argmax(1) == labels).sum())
        low, high = scores.interval(right, len(labels))
        share = right / len(labels)
        numbers = {"accuracy": share, "low": low, "high": high}
        yield {
            "corruption": name,
            **{key: round(value, 6) for key, value in numbers.items()},
            "n": len(labels),
        }


def draw(folder: Path, model: Classifier, part: Pictures, probabilities: Floats) -> None:
    """Draw what the model said of the test pictures into `folder`."""
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    curve = scores.reliability(probabilities, part.labels)
    counts = scores.confusion(part.labels, predicted, len(model.classes))
    plots.confusion(counts, model.classes, folder / "confusion.png")
    plots.reliability(curve, scores.calibration_error(curve), folder / "reliability.png")
    wrong = predicted != part.labels
    worst = np.flatnonzero(wrong)[np.argsort(-confidence[wrong], kind="stable")]
    choices = {
        "examples": (np.arange(len(part)), "The first test pictures"),
        "mistakes": (worst, f"The most confident of {wrong.sum()} mistakes in {len(part):,}"),
    }
    for name, (order, heading) in choices.items():
        chosen = order[:SHOWN]
        titles = [_title(model, part.labels[i], predicted[i], confidence[i]) for i in chosen]
        plots.grid(part.images[chosen], titles, wrong[chosen], heading, folder / f"{name}.png")


def _title(model: Classifier, label: int, answer: int, confidence: float) -> str:
    """What the model said of one picture, and the truth where that differs."""
    told = f"{model.classes[answer]}  {confidence:.0%}"
    return told if answer == label else f"{told}, is {model.classes[label]}"


def _flat(numbers: dict[str, Any], by_class: list[Row], damaged: list[Row]) -> dict[str, float]:
    """Every number under one name each, as MLflow wants them."""
    low, high = numbers["accuracy_interval"]
    flat = {f"test_{k}": float(v) for k, v in numbers.items() if k != "accuracy_interval"}
    flat |= {"test_accuracy_low": low, "test_accuracy_high": high}
    flat |= {f"test_accuracy_{row['corruption']}": row["accuracy"] for row in damaged}
    measures = ("precision", "recall", "f1")
    return flat | {f"test_{m}_{row['class']}": row[m] for row in by_class for m in measures}


def read_history(path: Path) -> dict[str, Floats]:
    """The columns of metrics/history.csv; UserError when it is not what train writes."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error}); `dvc repro -f train`") from error


def write_table(rows: list[Row], path: Path) -> None:
    """Write rows of equal keys as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_bytes(path, text.getvalue().encode())


if __name__ == "__main__":
    stage.main(evaluate)
