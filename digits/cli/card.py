"""`digits card`: write a model's page as one file, to send or to publish with the model."""

from pathlib import Path

import click

from digits.cli.options import FILE, MODEL_DEFAULT, model_argument

OUTPUT = "The file to write: .html for a browser, .md with the header that Hugging Face reads."


@model_argument("model", metavar="[MODEL]", required=False, help=MODEL_DEFAULT)
@click.option("--output", metavar="FILE", type=FILE, default="model-card.html", help=OUTPUT)
def card(model: str | None, output: Path) -> None:
    """Write a model's page as one file: its origin, scores, worst mistakes and limits.

    The sections are those of a model card (Mitchell et al. 2019). The file needs no network and
    no other file. It is the page /model of the service, and stored with each registered version.

    Example: digits card champion --output card.md
    """
    from digits.registry import lineage  # 2 s: MLflow

    print(f"{output}: {lineage.write_card(model, output)}")
