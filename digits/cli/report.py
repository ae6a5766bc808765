"""`digits report`: train several seeds of each recipe and write the table of their scores."""

import click

from digits.project import workspace

SEEDS = "Number of models per recipe."
RECIPES = "Recipes of params.yaml, separated by commas. Default: all."


@click.option("--seeds", type=click.IntRange(min=2), metavar="N", default=5, help=SEEDS)
@click.option("--recipes", metavar="NAMES", default="", show_default=False, help=RECIPES)
def report(seeds: int, recipes: str) -> None:
    """Train several seeds of each recipe and tabulate the scores.

    Example: digits report --seeds 3 --recipes mlp,quick
    """
    from digits.project import params_file
    from digits.project.thread_environment import set_thread_environment

    set_thread_environment()  # before torch is imported
    from digits.training import recipe_report  # slow to import: torch and MLflow

    table = workspace.checkout_root() / "metrics/report.md"
    values = params_file.load_params()
    names = recipes.split(",") if recipes else list(values.recipes)
    print(recipe_report.write_report(values, names, seeds, table))
