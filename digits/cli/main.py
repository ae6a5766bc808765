"""The `digits` command: one subcommand per thing a person runs."""

import importlib
import sys
from typing import NoReturn

import typer

from digits.project.errors import run_reporting_errors

# Each names a module here and the function in it, in the order of `digits --help`.
COMMANDS = """predict score feedback results report recipe tune dashboard ui send versions history
promote rollback prune pull compare lineage verify serve"""

app = typer.Typer(
    help="Handwritten digits: read them, look at what was trained, compare it, publish it.\n\n"
    "`dvc repro` trains; the values are in params.yaml.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: rich takes as long as reading a digit
)
for name in COMMANDS.split():
    app.command()(getattr(importlib.import_module(f"digits.cli.{name}"), name))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line, or `arguments`; see `guarded` for the exit statuses."""
    sys.exit(run_reporting_errors("digits", lambda: app(arguments)))
