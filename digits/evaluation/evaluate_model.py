"""Evaluate the saved model on the test images, once: tables, figures, metrics of its run.

The scores themselves are computed in `scores` and `corruptions`, the figures in `figures`.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from digits.datasets import split_files
from digits.datasets.split_files import LabelledImages
from digits.evaluation import corruptions, figures, scores
from digits.evaluation.scores import Floats, Scores
from digits.inference import classifier
from digits.inference.classifier import Classifier
from digits.preprocessing import class_names
from digits.preprocessing.image_format import MNIST
from digits.project import atomic_files
from digits.project.errors import UserError
from digits.project.params_schema import EvaluateParams
from digits.tracking import metric_names, runs

MAX_IMAGES = 4 * figures.COLUMNS  # in a grid
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
    """Write the scores of the model `trained` on `test`, and add them to the run that made it.

    `pictures` is a folder, the other outputs are files. Raises UserError when an input is
    missing or damaged.
    """
    model, split = classifier.load(trained), split_files.load(test)
    _check_classes(model, split, test)
    with runs.reopen_run(str(model.manifest["run_id"])) as run:
        logits = model.logits(split.images)
        result, probabilities = scores.score(logits, split.labels), classifier.softmax(logits)
        corrupted = list(corruption_scores(model, split, evaluate))
        numbers = result.as_metrics() | {"corrupted_accuracy": _mean_accuracy(corrupted)}
        by_class = _scores_by_class(model, split, logits)
        atomic_files.write_json(metrics, scores.comparable(numbers))
        atomic_files.write_csv(classes, by_class)
        atomic_files.write_csv(reliability, scores.reliability_curve(probabilities, split.labels))
        atomic_files.write_csv(robustness, corrupted)
        atomic_files.write_csv(predictions, _prediction_rows(model, split, probabilities))
        with atomic_files.atomic_folder(pictures) as folder:
            figures.plot_learning_curves(read_history(history), folder / "learning_curves.png")
            figures.plot_robustness(corrupted, result.accuracy, folder / "robustness.png")
            _draw_predictions(folder, model, split, probabilities)
        run.log_inputs({test.as_posix(): len(split)})
        _log_scores(run, numbers, by_class, corrupted)
        files = metrics, classes, predictions, reliability, robustness, history
        run.log_files([*files, *sorted(pictures.iterdir())], "evaluation")
    _print_scores(result, _mean_accuracy(corrupted))


def _scores_by_class(model: Classifier, split: LabelledImages, logits: Floats) -> list[Row]:
    """Return the scores of each class that has test images; somebody's own may lack one."""
    rows = scores.per_class(split.labels, logits.argmax(1), model.classes)
    return [row for row in rows if row["n"]]


def _mean_accuracy(corrupted: list[Row]) -> float:
    return round(fmean(row["accuracy"] for row in corrupted), 6)


def _check_classes(model: Classifier, split: LabelledImages, path: Path) -> None:
    """Raise UserError unless the images are of the model's classes and format."""
    if (model.classes, model.format) != (list(split.classes), split.format):
        raise UserError(f"the model has other classes or images than {path}; run `dvc repro`")


def _log_scores(
    run: runs.TrackedRun, numbers: Row, by_class: list[Row], corrupted: list[Row]
) -> None:
    """Log the scores as metrics and in sentences."""
    run.log_metrics(_metrics(numbers, by_class, corrupted))
    text = f"{scores.describe_accuracy(numbers)}; nothing else uses the test images."
    mean = f"{numbers['corrupted_accuracy']:.2%}"
    run.describe("Test", f"{text} Corrupted images: {mean}, the mean of all corruptions.")


def _print_scores(result: Scores, corrupted: float) -> None:
    low, high = result.accuracy_interval
    accuracy = f"{result.accuracy:.2%}, 95 % interval {low:.2%} to {high:.2%}"
    print(f"test accuracy {accuracy}, n = {result.n:,}")
    print(f"balanced accuracy {result.balanced_accuracy:.2%}, the mean recall of all classes")
    print(f"corrupted images: {corrupted:.2%}, the mean of all corruptions")
    print(f"loss {result.loss:.4f}, ECE {result.ece:.2%}")


def _prediction_rows(model: Classifier, split: LabelledImages, probabilities: Floats) -> list[Row]:
    """Return one row per test image, for `dvc plots` and for comparisons of two models."""
    names, predicted, confidence = model.classes, probabilities.argmax(1), probabilities.max(1)
    return [
        {"picture": i, "actual": names[a], "predicted": names[p], "probability": round(float(c), 6)}
        for i, (a, p, c) in enumerate(zip(split.labels, predicted, confidence, strict=True))
    ]


def corruption_scores(
    model: Classifier, split: LabelledImages, evaluate: EvaluateParams
) -> Iterator[Row]:
    """Yield one row per corruption: the accuracy on the first test images, corrupted by it."""
    images, labels = split.images[: evaluate.corrupted], split.labels[: evaluate.corrupted]
    for name in corruptions.CORRUPTIONS:
        logits = model.logits(corruptions.corrupt(images, name, evaluate.seed))
        n, right = len(labels), int((logits.argmax(1) == labels).sum())
        low, high = scores.wilson_interval(right, n)
        shares = {"accuracy": right / n, "low": low, "high": high}
        yield {"corruption": name, **{k: round(x, 6) for k, x in shares.items()}, "n": n}


def _draw_predictions(
    folder: Path, model: Classifier, split: LabelledImages, probabilities: Floats
) -> None:
    """Draw confusion matrix, calibration, first images and worst mistakes into `folder`."""
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    figures.plot_confusion(split.labels, predicted, model.classes, folder / "confusion.png")
    curve, wrong = scores.reliability_curve(probabilities, split.labels), predicted != split.labels
    figures.plot_reliability(curve, folder / "reliability.png")
    worst = np.flatnonzero(wrong)[np.argsort(-confidence[wrong], kind="stable")]

    def caption(i: int) -> tuple[str, bool]:
        text = f"{_short(model.classes[predicted[i]])}  {confidence[i]:.0%}"
        actual = _short(model.classes[split.labels[i]])
        return f"{text}{', ' if len(text) < 12 else chr(10)}is {actual}" if wrong[
            i
        ] else text, wrong[i]

    first, heading = np.arange(len(split)), "The first test images"
    if split.format != MNIST:  # other sources may have one class after the other
        first, heading = np.random.default_rng(0).permutation(first), "Some test images"
    grids = {
        "examples": (first, heading),
        "mistakes": (worst, f"The most confident of {wrong.sum()} mistakes in {len(split):,}"),
    }
    for name, (order, heading) in grids.items():
        chosen = order[:MAX_IMAGES]
        captions = [caption(i) for i in chosen]
        shown = figures.displayed(split.images[chosen], split.format)
        figures.plot_image_grid(shown, captions, heading, folder / f"{name}.png")


def _short(name: str) -> str:
    return class_names.shorten(figures.display_name(name), 11)


def _metrics(numbers: Row, by_class: list[Row], corrupted: list[Row]) -> dict[str, float]:
    """Return the scores as metrics of the run, the most important first."""
    metrics = metric_names.score_metrics("test", numbers)
    metrics |= {metric_names.recall_metric(row["class"]): row["recall"] for row in by_class}
    return metrics | {f"corruption/{row['corruption']}": row["accuracy"] for row in corrupted}


def read_history(path: Path) -> dict[str, Floats]:
    """Return the columns of metrics/history.csv.

    Raises UserError when the file is missing or has another form.
    """
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error}); run `dvc repro -f train`") from error
