"""`digits score`: say how good the model is on your own labelled pictures."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from stages.cli.options import ModelOption, SeveralOption


def score(
    folder: Annotated[
        Path, typer.Argument(help="Pictures with a labels.csv, or in a sub-folder per class.")
    ],
    *,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A table of labels elsewhere.")
    ] = None,
    model: ModelOption = None,
    several: SeveralOption = None,
    compare: Annotated[
        Literal["plain"] | None,
        typer.Option(help="Score plain resizing to 28 x 28 as well, for single digits."),
    ] = None,
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

    from stages.lib.tally import report  # 2 s: scikit-learn
    from stages.score import score as measure

    plain = compare == "plain"
    numbers = measure(folder, labels, model=model, several=several, plain=plain, mistakes=mistakes)
    print(dumps(numbers, indent=2) if json else report(numbers))
