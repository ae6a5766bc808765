"""`digits card`: write a model's page as one file, to send or to publish with the model."""

from pathlib import Path

import click

from digits.cli.options import FILE, MODEL_DEFAULT, model_argument

OUTPUT = "The file to write: .html for a browser, .md with the header that Hugging Face reads."


@model_argument("model", metavar="[MODEL]", required=False, help=MODEL_DEFAULT)
@click.option("--output", metavar="FILE", type=FILE, default="model-card.html", help=OUTPUT)
def card(model: str | None, output: Path) -> None:
    """Write a model's page as one file, to send or publish.

    It has the origin of the model, its scores, worst mistakes and limits, in the sections of a
    model card (Mitchell et al. 2019), and needs no other file. It is the page /model of the
    service. Each registered version has one among its files.

    Example: digits card champion --output card.md
    """
    from digits.registry import lineage  # 2 s: MLflow

    print(f"{output}: {lineage.write_card(model, output)}")
