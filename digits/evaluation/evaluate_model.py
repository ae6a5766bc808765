"""Score the saved model on the test pictures, once; numbers and pictures into its run.

python -m stages.evaluate
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.datasets import split_files
from digits.datasets.split_files import LabelledImages
from digits.evaluation import corruptions, figures, scores
from digits.evaluation.scores import Scores
from digits.inference import classifier
from digits.inference.classifier import Classifier
from digits.project import atomic_files
from digits.project.errors import UserError
from digits.project.params_schema import EvaluateParams
from digits.tracking import runs

SHOWN = 4 * figures.COLUMNS
Floats = NDArray[np.floating]
Row = dict[str, Any]


def evaluate(
    evaluate: EvaluateParams,
    trained: Path,
    test: Path,
    history: Path,
    *,
    metrics: Path,
    classes: Path,
    predictions: Path,
    reliability: Path,
    robustness: Path,
    pictures: Path,
) -> None:
    """Write what `trained` scores on `test`, and log the same into the run that made it.

    Raises UserError when the model or the pictures are missing or damaged.
    """
    model, part = classifier.load(trained), split_files.load(test)
    with runs.reopen_run(str(model.manifest["run_id"])) as run:
        logits = model.logits(part.images)
        found = scores.score(logits, part.labels)
        damaged = list(corruption_scores(model, part, evaluate))
        corrupted = round(fmean(row["accuracy"] for row in damaged), 6)
        numbers = found.as_metrics() | {"corrupted_accuracy": corrupted}
        probabilities = classifier.softmax(logits)
        by_class = scores.per_class(part.labels, logits.argmax(1), model.classes)
        atomic_files.write_json(metrics, numbers)
        atomic_files.write_csv(classes, by_class)
        atomic_files.write_csv(reliability, scores.reliability_curve(probabilities, part.labels))
        atomic_files.write_csv(robustness, damaged)
        atomic_files.write_csv(predictions, list(_predictions(model, part, probabilities)))
        with atomic_files.atomic_folder(pictures) as folder:
            figures.plot_learning_curves(read_history(history), folder / "learning_curves.png")
            figures.plot_robustness(damaged, found.accuracy, folder / "robustness.png")
            draw_figures(folder, model, part, probabilities)
        run.log_inputs({test.as_posix(): len(part)})
        run.log_metrics(_flatten_metrics(numbers, by_class, damaged))
        run.log_files([metrics, classes, predictions, reliability], "evaluation")
        run.log_files([robustness, history, *sorted(pictures.iterdir())], "evaluation")
    print_scores(found, numbers)


def print_scores(found: Scores, numbers: dict[str, Any]) -> None:
    """What a person wants to know first."""
    low, high = found.accuracy_interval
    accuracy = f"{found.accuracy:.2%}, 95 % interval {low:.2%} to {high:.2%}"
    print(f"test accuracy {accuracy}, n = {found.n:,}")
    print(f"corrupted pictures: {numbers['corrupted_accuracy']:.2%}, the mean of all corruptions")
    print(f"loss {found.loss:.4f}, ECE {found.ece:.2%}")


def _predictions(model: Classifier, part: LabelledImages, probabilities: Floats) -> Iterator[Row]:
    """One row per test picture, for `dvc plots` and for comparing two models."""
    predicted = probabilities.argmax(1)
    for i, (label, answer) in enumerate(zip(part.labels, predicted, strict=True)):
        yield {
            "picture": i,
            "actual": model.classes[label],
            "predicted": model.classes[answer],
            "probability": round(float(probabilities[i, answer]), 6),
        }


def corruption_scores(
    model: Classifier, part: LabelledImages, evaluate: EvaluateParams
) -> Iterator[Row]:
    """One row per corruption: the accuracy on the first test pictures, spoilt by it."""
    images, labels = part.images[: evaluate.corrupted], part.labels[: evaluate.corrupted]
    for name in corruptions.CORRUPTIONS:
        spoilt = corruptions.corrupt(images, name, evaluate.seed)
        right = int((model.logits(spoilt).argmax(1) == labels).sum())
        shares = right / len(labels), *scores.wilson_interval(right, len(labels))
        accuracy, low, high = (round(share, 6) for share in shares)
        row = {"corruption": name, "accuracy": accuracy, "low": low, "high": high}
        yield {**row, "n": len(labels)}


def draw_figures(
    folder: Path, model: Classifier, part: LabelledImages, probabilities: Floats
) -> None:
    """Draw what the model said of the test pictures into `folder`."""
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    curve = scores.reliability_curve(probabilities, part.labels)
    figures.plot_confusion(part.labels, predicted, model.classes, folder / "confusion.png")
    figures.plot_reliability(curve, scores.calibration_error(curve), folder / "reliability.png")
    wrong = predicted != part.labels
    worst = np.flatnonzero(wrong)[np.argsort(-confidence[wrong], kind="stable")]
    choices = {
        "examples": (np.arange(len(part)), "The first test pictures"),
        "mistakes": (worst, f"The most confident of {wrong.sum()} mistakes in {len(part):,}"),
    }
    for name, (order, heading) in choices.items():
        chosen = order[:SHOWN]
        titles = [_image_title(model, part.labels[i], predicted[i], confidence[i]) for i in chosen]
        figures.plot_image_grid(
            part.images[chosen], titles, wrong[chosen], heading, folder / f"{name}.png"
        )


def _image_title(model: Classifier, label: int, answer: int, confidence: float) -> str:
    """What the model said of one picture, and the truth where that differs."""
    told = f"{model.classes[answer]}  {confidence:.0%}"
    return told if answer == label else f"{told}, is {model.classes[label]}"


def _flatten_metrics(
    numbers: dict[str, Any], by_class: list[Row], damaged: list[Row]
) -> dict[str, float]:
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
