"""`digits lineage`: say where a model comes from: run, version, commit, data."""

from typing import Annotated

import typer


def lineage(
    model: Annotated[
        str, typer.Argument(help="A model file or folder, a run id, a version or a git revision.")
    ],
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show uncommitted changes.")] = False,
) -> None:
    """Say where a model comes from: run, version, commit, data."""
    from stages.lineage import lineage as told  # 2 s: MLflow

    print(told(model, as_json=json, diff=diff))
