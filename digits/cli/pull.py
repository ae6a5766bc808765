"""`digits pull`: put a verified model on this disk."""

import os
from pathlib import Path
from typing import Annotated

import typer


def pull(
    model: Annotated[
        str, typer.Argument(help="An alias, a version, a run id or a git revision.")
    ] = "champion",
    to: Annotated[Path | None, typer.Option(help="Default: models/pulled/NAME-VERSION.")] = None,
) -> None:
    """Put a verified model on this disk.

    A version comes from the registry, the model of a git revision from DVC's cache or
    remote. What is not exactly what was registered or committed is refused.
    """
    from digits.registry import model_reference  # 2 s: MLflow

    found, folder = model_reference.pull_model(model, to)
    print(f"{found.name} is in {os.path.relpath(folder)}  {found.content_sha256[:12]}")
