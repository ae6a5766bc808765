"""`digits history`: show every change of an alias: when, by whom, why."""

from typing import Annotated

import typer


def history(
    at: Annotated[
        str | None, typer.Option(help="Who was champion then? 2026-11-20T12:00 is UTC.")
    ] = None,
    accept: Annotated[
        str | None, typer.Option(help="Go on after tampering; the text says why.")
    ] = None,
) -> None:
    """Show every change of an alias: when, by whom, why.

    The registry, metrics/aliases.jsonl and the aliases are held against each other. Exit
    status: 0 when they agree or the file only ends earlier, 1 when not.
    """
    from stages.lib.tracking import aliases  # 2 s: MLflow
    from stages.lib.tracking import history as record

    if accept is not None:
        print(record.accept(accept))
        return
    asked = None if at is None else record.moment(at)
    now = aliases.current()
    lines, status = record.report(now)
    print(record.shown(now) if asked is None else record.champion(now, asked), *lines, sep="\n")
    raise typer.Exit(status)
