"""`digits report`: train several seeds of each recipe and write the table of their scores."""

from typing import Annotated

import typer

from digits.project import workspace


def report(
    seeds: Annotated[int, typer.Option(min=2, help="Number of models per recipe.")] = 5,
    recipes: Annotated[
        str, typer.Option(help="Recipes of params.yaml, separated by commas. Default: all.")
    ] = "",
) -> None:
    """Train several seeds of each recipe and tabulate the scores."""
    from digits.project import params_file
    from digits.project.thread_environment import set_thread_environment

    set_thread_environment()  # before torch is imported
    from digits.training import recipe_report  # slow to import: torch and MLflow

    table = workspace.checkout_root() / "metrics/report.md"
    values = params_file.load_params()
    names = recipes.split(",") if recipes else list(values.recipes)
    print(recipe_report.write_report(values, names, seeds, table))
