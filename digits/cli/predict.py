"""`digits predict`: print the classes of what is on images.

Starts fast: neither torch nor MLflow is imported, unless the model is one of the registry.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import click

from digits.cli.options import FILE, model_option, several_option
from digits.project.errors import UserError

if TYPE_CHECKING:
    from digits.inference.classifier import Classifier
    from digits.inference.model_integrity import ResolvedModel
    from digits.inference.prediction import Prediction

PATHS = "Image files, folders (all files below them), glob patterns, or - for standard input."
TOP = "The N likeliest classes, each with its probability."
FRESH = "Ask the registry, even if it answered within the last hour."
PREVIEW = "Draw each image, and the inputs of the network, as PNG files into this new folder."


@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(), help=PATHS)
@model_option
@click.option("--fresh", is_flag=True, help=FRESH)
@several_option
@click.option("--top", type=click.IntRange(min=1), metavar="N", default=1, help=TOP)
@click.option("--json", is_flag=True, help="Print a JSON list, an object per image.")
@click.option("--csv", is_flag=True, help="Print a CSV table, a row per image.")
@click.option("--save-preview", metavar="DIR", type=FILE, help=PREVIEW)
def predict(
    paths: tuple[str, ...],
    model: str | None,
    *,
    fresh: bool,
    several: bool | None,
    top: int,
    json: bool,
    csv: bool,
    save_preview: Path | None,
) -> None:
    """Print the class of each image, such as the digit on it.

    Prints a line per image: file, class and probability. Of several digits or other glyphs it
    prints all, with "/" between rows. Answers below 90 % are marked "doubtful". With --json and
    --csv, unreadable files get the status "error". Standard error names the model.

    Reads PNG, JPEG, WebP, BMP, GIF, TIFF and more; in folders, only files with such an extension.

    Example: digits predict photo.jpg scans/ --csv > digits.csv

    Exit status: 0 if all files could be read, 1 if some could not, 2 if none could.
    """
    if json and csv:
        raise UserError("--json and --csv exclude each other; choose one")
    from digits.datasets import image_files

    files = list(image_files.list_images(paths))
    resolved, loaded = _load(model, fresh, 1 if len(files) == 1 else None)
    from digits.inference import prediction_stream
    from digits.inference.output_formats import CsvFormat, JsonFormat, TextFormat, print_predictions

    top = min(top, len(loaded.classes))
    text = CsvFormat(top, loaded.classes) if csv else TextFormat(top, files)
    form = JsonFormat(top, resolved.identity) if json else text
    answers = prediction_stream.predict_files(files, loaded, several, save_preview is not None)
    if save_preview is not None:
        answers = _save_previews(answers, save_preview, resolved.title)
    print(f"model: {resolved.title}", file=sys.stderr)
    sys.exit(print_predictions(answers, form, len(files)))


def _load(
    reference: str | None, fresh: bool, threads: int | None
) -> "tuple[ResolvedModel, Classifier]":
    """Check and load a model, while a thread imports what reads images."""
    Thread(target=import_module, args=["digits.inference.prediction_stream"], daemon=True).start()
    from digits.registry import model_reference

    max_age = 0.0 if fresh else model_reference.MAX_AGE_SECONDS
    resolved = model_reference.resolve(reference, max_age=max_age)
    from digits.inference import classifier

    return resolved, classifier.load(resolved, threads)


def _save_previews(
    answers: "Iterator[Prediction]", folder: Path, model: str
) -> "Iterator[Prediction]":
    """Draw each answer into the new `folder` when it is taken, and pass it on."""
    from digits.datasets import contact_sheet  # 0.05 s, and seldom needed
    from digits.inference import prediction_images

    contact_sheet.check_new_folder(folder, "the previews")
    return prediction_images.save_previews(answers, folder, model)
