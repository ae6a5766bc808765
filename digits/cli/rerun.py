"""`digits rerun`: repeat a training run from its commit, changes and parameters."""

import json

import click

from digits.cli.options import json_option
from digits.project.text_table import format_table


@click.argument("run", help="The id of an MLflow run.")
@json_option
def rerun(run: str, *, as_json: bool) -> None:
    """Repeat a training run, and show both results.

    Trains and evaluates in a temporary clone, with the commit, the uncommitted changes and the
    parameters of the run. The new run is in the same store; its tag `digits.rerun_of` names the
    first one. No file of this checkout changes, and nothing is registered.

    Example: digits rerun c60ae917a2ae413094d804e1cdd599d1
    """
    from digits.training.repeat_run import repeat_run  # 2 s: MLflow

    runs = repeat_run(run)
    if as_json:
        print(json.dumps(runs, indent=2))
        return
    rows = [[r.pop("run_id"), *("" if x is None else f"{x:.2%}" for x in r.values())] for r in runs]
    rows = [["repeated", *rows[0]], ["new", *rows[1]]]
    print(format_table(["", "run", "validation", "test"], rows, left=(0, 1)))
