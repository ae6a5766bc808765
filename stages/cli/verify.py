"""`digits verify`: check every version, and everything that DVC tracks."""

from typing import Annotated, Any

import typer


def verify(
    rebuild: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Build it again and compare the bytes.")
    ] = None,
) -> None:
    """Check every version, and everything that DVC tracks.

    Exit status: 0 when all is well, 1 when something is not pushed or the record of aliases
    differs, 2 when something is not what it was.
    """
    from stages import verify as checking  # 2 s: MLflow

    if rebuild is not None:
        from stages.rebuild import rebuild as build

        raise typer.Exit(build(rebuild))
    from stages.lib.tracking import history

    worst = checking.show(checking.verify(_watched))
    lines, status = history.report(history.standing())
    for line in lines:
        print(line)
    raise typer.Exit(max(worst, status))


def _watched(items: list[Any]) -> Any:
    """The items, while a line on stderr says how many are left and for how long."""
    from rich.console import Console
    from rich.progress import track

    return track(items, "reading", console=Console(stderr=True), transient=True)
