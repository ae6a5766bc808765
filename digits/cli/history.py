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
    from digits.registry import alias_history as record
    from digits.registry import alias_moves  # 2 s: MLflow

    if accept is not None:
        print(record.accept_differences(accept))
        return
    asked = None if at is None else record.parse_time(at)
    now = alias_moves.current_alias_state()
    lines, status = record.check_log(now)
    print(
        record.format_log(now) if asked is None else record.champion_at(now, asked),
        *lines,
        sep="\n",
    )
    raise typer.Exit(status)
