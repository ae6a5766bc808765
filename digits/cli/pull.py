"""`digits pull`: put a verified model on this disk."""

import os
from pathlib import Path
from typing import Annotated

import typer

from digits.cli.options import ModelArgument


def pull(
    model: ModelArgument = "champion",
    to: Annotated[Path | None, typer.Option(help="Default: models/pulled/NAME-VERSION.")] = None,
) -> None:
    """Put a verified model on this disk.

    A version comes from the registry, the model of a git revision from DVC's cache or
    remote. What is not exactly what was registered or committed is refused.
    """
    from digits.registry import model_reference, published_model  # 2 s: MLflow

    found = model_reference.resolve(model)
    folder = published_model.pull_model(found, to)
    print(f"{found.name} is in {os.path.relpath(folder)}  {found.content_sha256[:12]}")
