"""`digits tune`: search for better hyperparameters with Optuna."""

import sys
from typing import Annotated

from typer import Option

from digits.cli.options import StorageOption
from digits.project.errors import run_reporting_errors

WORKERS = "Parallel processes, at most one per processor; they share train.threads."


def tune(
    workers: Annotated[int, Option(metavar="N", help=WORKERS)] = 1,
    storage: StorageOption = None,
    apply: Annotated[bool, Option("--apply", help="Write the winner to params.yaml.")] = False,
) -> None:
    """Search for better hyperparameters with Optuna.

    The section `tune` of params.yaml sets the search space, the trials and the time limit. At the
    end, the best trials and the present values are trained again with other seeds and compared. If
    a trial wins, --apply writes its values.

    Ctrl-C loses nothing: the same command continues the study. On other machines, the same command
    joins it, for example with --storage postgresql://user@host/digits.
    """
    from digits.tuning.search import run_search  # 3 s: MLflow and Optuna

    sys.exit(run_reporting_errors("tune", lambda: run_search(workers, storage, apply=apply)))
