"""`digits feedback`: show what people said of answers on the page of `digits serve`."""

from pathlib import Path
from typing import Annotated

import typer

from digits.project.errors import UserError


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
    data/splits/train.npz (`digits.datasets.split_files.load` reads both), and provenance.json: for
    each digit the picture's SHA-256, the label, the answer, the model's version, the time.
    `dvc repro` trains on MNIST alone.
    """
    from digits.datasets import feedback_export as made  # 0.3 s: OpenCV
    from digits.datasets import feedback_store as kept
    from digits.project import workspace

    place = folder or workspace.state_root() / kept.FOLDER
    rows = kept.read_corrections(place)
    if not rows:
        raise UserError(f"{place}: no feedback yet; `digits serve` has a page that collects it")
    lines = [made.format_counts(rows)]
    if sheet is not None:
        made.draw_corrections(place, rows, sheet)
        lines.append(f"drawn: {sheet}")
    if export is not None:
        lines.append(made.export_arrays(place, rows, export))
    print("\n\n".join(lines))
