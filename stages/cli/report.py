"""`digits report`: train several seeds of each recipe and write the table."""

from typing import Annotated

import typer

from stages.lib import files


def report(
    seeds: Annotated[int, typer.Option(min=2, help="Models per recipe.")] = 5,
    recipes: Annotated[
        str, typer.Option(help="Recipes of params.yaml, separated by commas; all by default.")
    ] = "",
) -> None:
    """Train several seeds of each recipe and write the table."""
    from stages.lib import params
    from stages.lib.report import report as measure  # 5 s: torch and MLflow

    table, values = files.workspace() / "metrics/report.md", params.load()
    chosen = recipes.split(",") if recipes else list(values.recipes)
    print(measure(values, chosen, seeds, table))
