"""`digits feedback`: count, draw and export the labels that people gave to served images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digits.cli.options import FILE, json_option
from digits.project.errors import UserError

if TYPE_CHECKING:
    from digits.preprocessing.image_format import ImageFormat

FOLDER = "Folder to read. [default: data/feedback]"
SHEET = "Draw the labelled images into this PNG file."
EXPORT = "Write the network's inputs as arrays to this new folder."


@click.option("--folder", metavar="DIR", type=FILE, help=FOLDER)
@click.option("--sheet", metavar="FILE", type=FILE, help=SHEET)
@click.option("--export", metavar="DIR", type=FILE, help=EXPORT)
@json_option
def feedback(
    folder: Path | None, sheet: Path | None, export: Path | None, *, as_json: bool
) -> None:
    """Count, draw or export the labels that people gave to images.

    The page of `digits serve` asks whether an answer is right, and stores the image with the right
    label. This command prints how many images were misread, per class and per model version.

    --export writes feedback.npz and provenance.json. feedback.npz holds the network's inputs, such
    as extracted digits, in the format of data/splits/train.npz, for the classes of models/digits.
    provenance.json lists for each the SHA-256 of the image, its label, the answer, the model
    version and the time. `dvc repro` does not use them.

    `digits score data/feedback` measures a model on these images.

    Example: digits feedback --sheet feedback.png
    """
    from digits.datasets import feedback_export, feedback_store  # 0.3 s: OpenCV
    from digits.project import workspace

    folder = folder or workspace.work_folder() / feedback_store.FOLDER
    rows = feedback_store.read_corrections(folder)
    if not rows:
        raise UserError(f"{folder}: no feedback yet; `digits serve` has a page that collects it")
    texts, (classes, image_format) = [], _model_input()
    if sheet is not None:
        feedback_export.draw_corrections(folder, rows, sheet)
        texts.append(f"drawn: {sheet}")
    if export is not None:
        texts.append(feedback_export.export_arrays(folder, rows, export, classes, image_format))
    counts = feedback_export.count_corrections(rows, classes)
    if as_json:
        print(json.dumps({"counts": counts, "messages": texts}, indent=2))
    else:
        print(feedback_export.format_counts(counts), *texts, sep="\n\n")


def _model_input() -> "tuple[list[str], ImageFormat]":
    """Return classes and format of the model of this checkout; those of MNIST without one."""
    from digits.inference import model_manifest
    from digits.preprocessing import class_names
    from digits.project import workspace

    path = workspace.work_folder() / workspace.MODEL_OUTPUT / model_manifest.MANIFEST
    manifest = model_manifest.load_manifest(path) if path.exists() else {}
    classes = manifest.get("classes", class_names.DIGITS)
    return list(classes), model_manifest.image_format(manifest)
