"""Read handwritten digits in images; compare, publish and serve the models that read them.

`dvc repro` trains, evaluates and registers a model with the values in params.yaml. Each registered
model is a version; the alias `champion` marks the version in use.

Every error is one line on standard error, with exit status 2 unless a command says otherwise.
"""

import importlib
import os
import sys
from typing import Annotated, NoReturn

from typer import Exit, Option, Typer

from digits.cli.completion import VARIABLE
from digits.project.errors import run_reporting_errors

# Each names a module here and the function in it, in the order of `digits --help`.
COMMANDS = """predict score feedback results report recipe tune dashboard ui send versions history
promote rollback prune pull compare lineage verify serve completion"""

app = Typer(
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: rich takes as long as reading a digit
)
for name in COMMANDS.split():
    app.command()(getattr(importlib.import_module(f"digits.cli.{name}"), name))


def print_version(is_wanted: bool) -> None:
    """Print the version of the package and exit, if that is wanted."""
    if is_wanted:
        from importlib import metadata  # 0.04 s, and seldom needed

        print(f"digits {metadata.version('digits')}")
        raise Exit


@app.callback(help=__doc__)
def options(
    _version: Annotated[
        bool,
        Option("--version", callback=print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run `digits` with `arguments`, by default those of the process, and exit.

    The exit statuses are those of `run_reporting_errors`, or the command's own.
    """
    if VARIABLE in os.environ:  # a shell asks for completions
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    sys.exit(run_reporting_errors("digits", lambda: app(arguments)))
