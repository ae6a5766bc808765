"""The `digits` command: one subcommand per thing a person runs."""

import sys
from typing import NoReturn

import typer

from stages.cli import (
    compare,
    dashboard,
    feedback,
    history,
    lineage,
    predict,
    promote,
    prune,
    pull,
    recipe,
    report,
    results,
    rollback,
    score,
    send,
    serve,
    tune,
    ui,
    verify,
    versions,
)
from stages.lib.errors import guarded

app = typer.Typer(
    help="Handwritten digits: read them, look at what was trained, compare it, publish it.\n\n"
    "`dvc repro` trains; the values are in params.yaml.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: rich takes as long as reading a digit
)
for command in (
    predict.predict,
    score.score,
    feedback.feedback,
    results.results,
    report.report,
    recipe.recipe,
    tune.tune,
    dashboard.dashboard,
    ui.ui,
    send.send,
    versions.versions,
    history.history,
    promote.promote,
    rollback.rollback,
    prune.prune,
    pull.pull,
    compare.compare,
    lineage.lineage,
    verify.verify,
    serve.serve,
):
    app.command()(command)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line, or `arguments`; see `guarded` for the exit statuses."""
    sys.exit(guarded("digits", lambda: app(arguments)))
