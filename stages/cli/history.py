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

    The record is checked: entries that were edited or removed are named.
    """
    from stages import history as told  # 2 s: MLflow

    if accept is not None:
        print(told.accept(accept))
    elif at is not None:
        told.at(at)
    else:
        told.history()
