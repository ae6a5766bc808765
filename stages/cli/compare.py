"""`digits compare`: compare two models: accuracy, errors, parameters, speed."""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    a: Annotated[str, typer.Argument(help="A version, alias, run, git revision or folder.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
    html: Annotated[Path | None, typer.Option(help="Write a page that needs no server.")] = None,
    png: Annotated[
        Path | None, typer.Option(help="Draw the pictures that tell them apart.")
    ] = None,
) -> None:
    """Compare two models: accuracy, errors, parameters, speed.

    Both label the validation pictures; the test pictures are not touched.
    """
    from stages import compare as comparing  # 3 s: MLflow, matplotlib

    found = comparing.compare(a, b)
    comparing.write(found, html, png)
    print("\n".join(comparing.text(found)))
