"""`digits score`: measure a model's accuracy on your own labelled images."""

import json
import sys
from pathlib import Path

import click

from digits.cli.options import FILE, json_option, model_option, several_option

MAKER = "digits score"  # stands in the PNG files made here, which may be overwritten
MISTAKES = "Draw the misread images into this PNG file."
FOLDER = "Images in a sub-folder per class, or with a table labels.csv."


@click.argument("folder", type=FILE, help=FOLDER)
@model_option
@several_option
@click.option("--mistakes", metavar="FILE", type=FILE, help=MISTAKES)
@json_option
def score(
    folder: Path, model: str | None, several: bool | None, mistakes: Path | None, *, as_json: bool
) -> None:
    """Measure a model's accuracy on your own labelled images.

    Prints the accuracy with its 95 % interval, per class and per group, and each mistake. An
    image that cannot be read, or on which nothing is found, counts as a mistake.

    labels.csv has the columns `file` (relative to the table), `label` and, if you like, `group`,
    for example the writer.
    The label of an image with several glyphs, such as digits, has "/" between rows: 12/34.

    Example: digits score photos --mistakes mistakes.png
    """
    from digits.datasets import contact_sheet, labelled_folder
    from digits.evaluation import slice_scores
    from digits.inference import classifier
    from digits.registry import model_reference  # 2 s: scikit-learn

    resolved = model_reference.resolve(model)
    loaded = classifier.load(resolved)
    images = labelled_folder.read_labels(folder, loaded.classes)
    if mistakes is not None:
        contact_sheet.check_overwritable(mistakes, MAKER)
    marks, cards = slice_scores.score_images(images, loaded, several, draw=mistakes is not None)
    numbers = slice_scores.summarize(marks, loaded.classes)
    if mistakes and cards:
        wrong = len(numbers["mistakes"])
        shown = "" if wrong == len(cards) else f", the first {len(cards)} that can be drawn"
        heading = f"{wrong} of {len(marks)} images read wrongly{shown}"
        contact_sheet.write_sheet(cards, heading, mistakes, MAKER)
    print(f"model: {resolved.title}", file=sys.stderr)
    report = json.dumps({"model": resolved.identity, **numbers}, indent=2)
    print(report if as_json else slice_scores.format_report(numbers))
