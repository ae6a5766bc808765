"""`digits recipe`: print a recipe as options: `dvc exp run $(digits recipe cnn)`."""

from typing import Annotated

import typer

from digits.project import workspace


def recipe(name: Annotated[str, typer.Argument(help="A recipe of params.yaml.")]) -> None:
    """Print a recipe as options: `dvc exp run $(digits recipe cnn)`."""
    from digits.project import params_file

    values = params_file.load_params(workspace.checkout_root() / "params.yaml")
    params_file.with_recipe(values, name)
    words = params_file.override_words(values.recipes[name])  # in $() quotes would stay
    print(" ".join(f"-S {word}" for word in words))
