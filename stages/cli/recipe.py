"""`digits recipe`: print a recipe as options: `dvc exp run $(digits recipe cnn)`."""

from typing import Annotated

import typer

from stages.lib import files


def recipe(name: Annotated[str, typer.Argument(help="A recipe of params.yaml.")]) -> None:
    """Print a recipe as options: `dvc exp run $(digits recipe cnn)`."""
    from stages.lib import params

    values = params.load(files.workspace() / "params.yaml")
    params.recipe(values, name)
    words = params.assignments(values.recipes[name])  # in $() quotes would stay
    print(" ".join(f"-S {word}" for word in words))
