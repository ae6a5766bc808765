"""`digits tune`: search for better hyperparameters with Optuna."""

import sys
from functools import partial

import click

from digits.cli.options import storage_option, study_option
from digits.project.errors import run_reporting_errors

TRIALS = "Trials of the study, with those that it has. [default: tune.trials]"
TIMEOUT = "Begin no trial after SECONDS; 0: no limit. [default: tune.timeout]"
WORKERS = "Parallel processes, at most one per processor; they share train.threads."


@click.option("--workers", type=int, metavar="N", default=1, help=WORKERS)
@study_option
@click.option("--trials", type=int, metavar="N", help=TRIALS)
@click.option("--timeout", type=float, metavar="SECONDS", help=TIMEOUT)
@storage_option
@click.option("--apply", is_flag=True, help="Write the winner to params.yaml.")
def tune(workers: int, storage: str | None, *, apply: bool, **options: float | str | None) -> None:
    """Search for better hyperparameters with Optuna.

    The section `tune` of params.yaml sets the search space and all that is no option here. At the
    end, the best trials and the present values are trained again with other seeds and compared. If
    a trial wins, --apply writes its values.

    Ctrl-C loses nothing: the same command continues the study. On other machines, the same command
    joins it, for example with --storage postgresql://user@host/digits.

    Example: digits tune --workers 2
    """
    from digits.tuning.search import run_search  # 3 s: MLflow and Optuna

    changes = {name: value for name, value in options.items() if value is not None}
    search = partial(run_search, workers, storage, changes, apply=apply)
    sys.exit(run_reporting_errors("tune", search))
