"""`digits recipe`: print a recipe as options: `dvc exp run $(digits recipe cnn)`."""

from json import dumps
from typing import Annotated

import typer

from stages.lib import files


def recipe(name: Annotated[str, typer.Argument(help="A recipe of params.yaml.")]) -> None:
    """Print a recipe as options: `dvc exp run $(digits recipe cnn)`."""
    from stages.lib import params

    values = params.load(files.workspace() / "params.yaml")
    params.recipe(values, name)
    changes = values.recipes[name].items()
    texts = ((key, dumps(value, separators=(",", ":")).strip('"')) for key, value in changes)
    print(" ".join(f"-S {key}={text}" for key, text in texts))  # in $() quotes would stay
