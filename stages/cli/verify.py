"""`digits verify`: check every version, and everything that DVC tracks."""

from typing import Annotated

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
    from stages.lib.tracking import verification  # 2 s: MLflow

    if rebuild is not None:
        from stages.lib.tracking.rebuild import rebuild as build

        raise typer.Exit(build(rebuild))
    from stages.lib.tracking import aliases, history

    findings = verification.verify()
    print(verification.summary(findings))
    lines, status = history.report(aliases.current())
    print("\n".join(lines))
    raise typer.Exit(max([status, *(finding.state for finding in findings)]))
