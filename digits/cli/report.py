"""`digits report`: train several seeds of each recipe and write the table."""

from typing import Annotated

import typer

from digits.project import workspace


def report(
    seeds: Annotated[int, typer.Option(min=2, help="Models per recipe.")] = 5,
    recipes: Annotated[
        str, typer.Option(help="Recipes of params.yaml, separated by commas; all by default.")
    ] = "",
) -> None:
    """Train several seeds of each recipe and write the table."""
    from digits.project import params_file
    from digits.project.thread_environment import set_thread_environment

    set_thread_environment()  # before torch is imported
    from digits.training.recipe_report import write_report as measure  # 5 s: torch and MLflow

    table, values = workspace.checkout_root() / "metrics/report.md", params_file.load_params()
    chosen = recipes.split(",") if recipes else list(values.recipes)
    print(measure(values, chosen, seeds, table))
