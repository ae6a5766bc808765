"""`digits compare`: compare two models: accuracy, errors, parameters, speed."""

from pathlib import Path
from typing import Annotated

import typer

from digits.cli.options import JsonOption, ModelArgument

SPLIT = "Validation images of another place. [default: data/splits/validation.npz]"


def compare(
    a: ModelArgument,
    b: Annotated[str, typer.Argument(metavar="MODEL", help="The model to compare it with.")],
    *,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the comparison as an HTML page.")
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the images that only one model gets right."),
    ] = None,
    split: Annotated[Path | None, typer.Option(metavar="FILE", help=SPLIT)] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two models: accuracy, errors, parameters, speed.

    Both models classify the validation images. The test images are not read.
    """
    from digits.evaluation import comparison_report, model_comparison  # slow to import: MLflow
    from digits.registry import model_reference

    models = [model_reference.resolve(name) for name in (a, b)]
    comparison = model_comparison.compare(a, b, models, split)
    comparison_report.write_files(comparison, html, png)
    print(comparison_report.format_comparison(comparison, as_json=as_json))
