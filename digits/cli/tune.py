"""`digits tune`: search for better hyperparameters with Optuna."""

import sys

import click

from digits.cli.options import storage_option
from digits.project.errors import run_reporting_errors

WORKERS = "Parallel processes, at most one per processor; they share train.threads."


@click.option("--workers", type=int, metavar="N", default=1, help=WORKERS)
@storage_option
@click.option("--apply", is_flag=True, help="Write the winner to params.yaml.")
def tune(workers: int, storage: str | None, *, apply: bool) -> None:
    """Search for better hyperparameters with Optuna.

    The section `tune` of params.yaml sets the search space, the trials and the time limit. At the
    end, the best trials and the present values are trained again with other seeds and compared. If
    a trial wins, --apply writes its values.

    Ctrl-C loses nothing: the same command continues the study. On other machines, the same command
    joins it, for example with --storage postgresql://user@host/digits.

    Example: digits tune --workers 2
    """
    from digits.tuning.search import run_search  # 3 s: MLflow and Optuna

    sys.exit(run_reporting_errors("tune", lambda: run_search(workers, storage, apply=apply)))
