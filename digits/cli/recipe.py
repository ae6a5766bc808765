"""`digits recipe`: print a recipe as options for `dvc exp run`."""

import sys

import click

from digits.project import workspace
from digits.project.errors import UserError

REFUSED = "no-such-recipe"  # by DVC, as the name of a stage


@click.argument("name", help="A key of `recipes` in params.yaml.")
def recipe(name: str) -> None:
    """Print a recipe as options for `dvc exp run`.

    A recipe is a named set of changes to the values in params.yaml.

    Example: dvc exp run $(digits recipe cnn)
    """
    from digits.project import params_file

    path = workspace.checkout_root() / "params.yaml"
    try:
        values = params_file.load_params(path)
        params_file.with_recipe(values, name)
    except UserError:
        if not sys.stdout.isatty():  # in $(), where DVC would run without the recipe
            print(REFUSED)
        raise
    words = params_file.override_words(values.recipes[name])  # in $() quotes would stay
    print(" ".join(f"-S {word}" for word in words))
