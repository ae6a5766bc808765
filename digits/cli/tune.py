"""`digits tune`: search for better values; goes on after Ctrl-C."""

import sys
from typing import Annotated

import typer

from digits.project.errors import run_reporting_errors


def tune(
    workers: Annotated[int, typer.Option(help="Processes; they share train.threads.")] = 1,
    storage: Annotated[str | None, typer.Option(help="Address that replaces tune.storage.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write what is better.")] = False,
) -> None:
    """Search for better values; goes on after Ctrl-C.

    The section tune of params.yaml says what is searched, how and for how long.
    """
    from digits.tuning.search import run_search  # 3 s: MLflow and Optuna

    sys.exit(run_reporting_errors("tune", lambda: run_search(workers, storage, apply=apply)))
