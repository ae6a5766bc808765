"""`digits score`: say how good the model is on your own labelled pictures."""

from pathlib import Path
from typing import Annotated

import typer

from digits.cli.options import ModelOption, SeveralOption

MAKER = "digits score"  # stands in pictures made here, which may be replaced


def score(
    folder: Annotated[
        Path, typer.Argument(help="Pictures with a labels.csv, or in a sub-folder per class.")
    ],
    *,
    model: ModelOption = None,
    several: SeveralOption = None,
    mistakes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the mistakes into this PNG.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="All numbers as one object.")] = False,
) -> None:
    """Say how good the model is on your own labelled pictures.

    labels.csv has the columns `file` (relative to the table) and `label`, and may have
    `writer`. The label of several digits has / between rows. A picture that cannot be
    read, or on which no digit is found, counts as wrong.
    """
    from json import dumps

    from digits.datasets import contact_sheet, labelled_folder
    from digits.evaluation import slice_scores
    from digits.inference import classifier
    from digits.registry import model_reference  # 2 s: scikit-learn

    loaded = classifier.load(model_reference.resolve(model).folder)
    pictures = labelled_folder.read_labels(folder, loaded.classes)
    if mistakes is not None:
        contact_sheet.check_overwritable(mistakes, MAKER)
    marks, cards = slice_scores.score_images(pictures, loaded, several, draw=mistakes is not None)
    numbers = slice_scores.summarize(marks, loaded.classes)
    if mistakes and cards:
        wrong = len(numbers["mistakes"])
        shown = "" if wrong == len(cards) else f", the first {len(cards)} that can be drawn"
        heading = f"{wrong} of {len(marks)} pictures read wrongly{shown}"
        contact_sheet.write_sheet(cards, heading, mistakes, MAKER)
    print(dumps(numbers, indent=2) if json else slice_scores.format_report(numbers))
