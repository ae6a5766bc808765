"""`digits compare`: compare two models: accuracy, errors, parameters, speed."""

from pathlib import Path

import click

from digits.cli.options import FILE, MODEL, json_option, model_argument

PNG = "Draw the images that only one model gets right."
SPLIT = "Validation images of another place. [default: data/splits/validation.npz]"


@model_argument("a", metavar="MODEL", help=MODEL)
@model_argument("b", metavar="MODEL", help="The model to compare it with.")
@click.option("--html", metavar="FILE", type=FILE, help="Write the comparison as an HTML page.")
@click.option("--png", metavar="FILE", type=FILE, help=PNG)
@click.option("--split", metavar="FILE", type=FILE, help=SPLIT)
@json_option
def compare(
    a: str, b: str, html: Path | None, png: Path | None, split: Path | None, *, as_json: bool
) -> None:
    """Compare two models: accuracy, errors, parameters, speed.

    Both models classify the validation images. The test images are not read.

    Example: digits compare models/digits champion --html comparison.html
    """
    from digits.evaluation import comparison_report, model_comparison  # slow to import: MLflow
    from digits.registry import model_reference

    models = [model_reference.resolve(name) for name in (a, b)]
    comparison = model_comparison.compare(a, b, models, split)
    comparison_report.write_files(comparison, html, png)
    print(comparison_report.format_comparison(comparison, as_json=as_json))
