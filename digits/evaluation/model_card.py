"""The model card: what a model is, where it comes from and how good it is, as HTML or Markdown.

Its sections follow Mitchell et al. 2019, "Model Cards for Model Reporting". A card is a
dictionary of JSON values, in which values that are not recorded are left out. The scores are
those of the model's own run; what the registry knows is added by `digits.registry.lineage`.
"""

import base64
import csv
import tempfile
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits.datasets import contact_sheet
from digits.evaluation.scores import wilson_interval
from digits.project import atomic_files, html_templates
from digits.project.errors import UserError
from digits.tracking import metric_names, run_lookup

if TYPE_CHECKING:
    from digits.tracking.tracking_store import StoredRun

MADE_BY = "digits card"  # stands in each file written here; only such a file is overwritten
PAGE = Path(__file__).with_name("model_card.html")
MARKDOWN = PAGE.with_suffix(".md")
STYLES = PAGE.with_suffix(".css")
MAX_MATRIX = 20  # classes of the confusion matrix
MNIST_CLASSES = [str(digit) for digit in range(10)]

Card = dict[str, Any]


def check_path(path: Path) -> None:
    """Raise UserError unless a card can be written to `path`: by its ending, over a card only."""
    if path.suffix not in {".html", ".md"}:
        raise UserError(f"{path}: expected a name that ends in .html or .md")
    contact_sheet.check_overwritable(path, MADE_BY)


def write(card: Card, name: str, path: Path) -> None:
    """Write the card to a path that was checked, as HTML or as Markdown by its ending."""
    is_page = path.suffix == ".html"
    text = render_page(card, name, standalone=True) if is_page else render_markdown(card, name)
    atomic_files.write_bytes(path, text.encode())


def render_page(card: Card, name: str, *, standalone: bool, link: str = "") -> str:
    """Return the card as an HTML page, with its styles inside or as a page of the service.

    `link` is what the page of the service leads back to.
    """
    values = {"card": card, "name": name, "made_by": MADE_BY, "link": link}
    values |= {"styles": STYLES.read_text("utf-8"), "today": _today()} if standalone else {}
    return html_templates.render(PAGE, **values)


def render_markdown(card: Card, name: str) -> str:
    """Return the card as Markdown below the YAML header that Hugging Face reads."""
    values = {"header": _header(card, name), "made_by": MADE_BY, "today": _today()}
    return html_templates.render(MARKDOWN, card=card, name=name, **values)


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _header(card: Card, name: str) -> Card:
    """Return the fields of the header; see https://huggingface.co/docs/hub/model-cards."""
    is_mnist = card.get("classes") == MNIST_CLASSES and "data" in card and "format" not in card
    tags = ["handwritten-digits"] if is_mnist else []
    header: Card = {
        "license": "apache-2.0",
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", *tags, "onnx"],
        "metrics": ["accuracy"],
    }
    header |= {"datasets": ["ylecun/mnist"]} if is_mnist else {}
    task = {"type": "image-classification", "name": "Image classification"}
    splits = [split for split in ("test", "validation") if split in card]
    results = [
        {
            "task": task,
            "dataset": {
                "type": "ylecun/mnist" if is_mnist else "images",
                "name": "MNIST" if is_mnist else "labelled images",
                "split": split,
            },
            "metrics": [{"type": "accuracy", "value": card[split]["accuracy"]}],
        }
        for split in splits
    ]
    return header | (
        {"model-index": [{"name": name.partition(":")[0], "results": results}]} if results else {}
    )


def describe_model(manifest: Mapping[str, Any]) -> Card:
    """Return what a model's manifest says of it."""
    network = dict(manifest.get("network", {}))
    layers = network.get(manifest.get("kind"), {})
    sizes = ", ".join(map(str, layers.get("hidden") or layers.get("channels") or []))
    sizes = sizes or layers.get("name", "")
    keys = ("kind", "classes", "temperature", "format")
    details = {key: manifest[key] for key in keys if key in manifest}
    run, content = {"id": str(manifest["run_id"])}, str(manifest["content_sha256"])
    return {**details, "sizes": sizes, "run": run, "model": {"content_sha256": content}}


def read_scores(run: "StoredRun") -> Card:
    """Return accuracy, its interval and the calibration error on test and validation data."""
    stored = run.store.client.get_run(run.run_id)
    metrics = stored.data.metrics
    read = partial(metric_names.read_metric, metrics)
    parameters, counts = read("model/parameters"), run_lookup.image_counts(stored)
    card: Card = {} if parameters is None else {"parameters": int(parameters)}
    for split in ("test", "validation"):
        n, share = counts.get(split), read(f"{split}/accuracy")
        if n and share is not None:
            interval = wilson_interval(round(share * n), n)
            card[split] = {"n": n, "accuracy": share, "interval": interval}
            card[split] |= {key: read(f"{split}/{key}") for key in ("ece", "balanced_accuracy")}
    corrupted = {
        key.rpartition("/")[2].removeprefix("test_accuracy_").replace("_", " "): value
        for key, value in metrics.items()
        if key.startswith(("corruption/", "test_accuracy_")) and not key.endswith(("_low", "_high"))
    }
    return card | ({"corrupted": dict(sorted(corrupted.items()))} if corrupted else {})


def read_predictions(run: "StoredRun") -> Card:
    """Return the confusion matrix and images of predictions that `evaluate` logged to a run."""
    with tempfile.TemporaryDirectory() as scratch:
        download = run.store.client.download_artifacts
        predictions = Path(download(run.run_id, "evaluation/predictions.csv", scratch))
        card: Card = {"confusion": _confusion(predictions)}
        for name in ("mistakes", "examples"):
            image = Path(download(run.run_id, f"evaluation/{name}.png", scratch))
            card[name] = base64.b64encode(image.read_bytes()).decode()
        return card


def _confusion(predictions: Path) -> Card:
    """Return the confusion matrix, a row for each actual class, and the recall of each class.

    Of more than MAX_MATRIX classes, the matrix has those with the most mistakes.
    """
    with predictions.open(newline="", encoding="utf-8") as file:
        pairs = Counter((row["actual"], row["predicted"]) for row in csv.DictReader(file))
    classes = sorted({name for pair in pairs for name in pair})
    matrix = [[pairs[actual, predicted] for predicted in classes] for actual in classes]
    totals = [(sum(row), row[i]) for i, row in enumerate(matrix)]
    recall = [
        {"class": name, "n": n, "right": k, "interval": wilson_interval(k, n)}
        for name, (n, k) in zip(classes, totals, strict=True)
        if n
    ]
    columns = [sum(row[i] for row in matrix) for i in range(len(classes))]
    errors = [n + m - 2 * k for (n, k), m in zip(totals, columns, strict=True)]
    worst = sorted(range(len(classes)), key=lambda i: -errors[i])[:MAX_MATRIX]
    shown = sorted(worst)
    counts = [[matrix[i][j] for j in shown] for i in shown]
    hidden = len(classes) - len(shown)
    return {
        "classes": [classes[i] for i in shown],
        "counts": counts,
        "recall": recall,
        "hidden": hidden,
    }
