"""`digits pull`: copy a verified model to a folder."""

import os
from pathlib import Path

import click

from digits.cli.options import FILE, MODEL, model_argument

TO = "Folder to write. [default: models/pulled/NAME-VERSION]"


@model_argument("model", default="champion", help=f"{MODEL} [default: champion]")
@click.option("--to", metavar="DIR", type=FILE, help=TO)
def pull(model: str, to: Path | None) -> None:
    """Copy a verified model to a folder.

    A version comes from the registry, the model of a git revision from DVC's cache or remote.
    If any byte differs from what was registered or committed, nothing is copied.

    Example: digits pull champion --to /srv/digits
    """
    from digits.registry import model_reference, published_model  # 2 s: MLflow

    resolved = model_reference.resolve(model)
    folder = published_model.pull_model(resolved, to)
    print(f"{resolved.name} is in {os.path.relpath(folder)}  {resolved.content_sha256[:12]}")
