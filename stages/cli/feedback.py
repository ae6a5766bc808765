"""`digits feedback`: show what people said of answers on the page of `digits serve`."""

from pathlib import Path
from typing import Annotated

import typer


def feedback(
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="[default: data/feedback of this project]")
    ] = None,
    *,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw all of it into this PNG.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write arrays to train on to this new folder."),
    ] = None,
) -> None:
    """Show what people said of answers on the page of `digits serve`.

    `digits score data/feedback` scores a model on it, and `dvc add data/feedback` makes a
    revision of it that git can name.

    --export writes feedback.npz, digits as the network sees them, in the form of
    data/splits/train.npz (`stages.lib.dataset.load` reads both), and provenance.json: for
    each digit the picture's SHA-256, the label, the answer, the model's version, the time.
    `dvc repro` trains on MNIST alone.
    """
    from stages.feedback import feedback as told  # 0.3 s: OpenCV

    print(told(folder, sheet=sheet, export=export))
