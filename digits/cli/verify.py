"""`digits verify`: check every version, and everything that DVC tracks."""

from typing import Annotated

import typer

from digits.cli.options import MODEL


def verify(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help=f"Check this alone. {MODEL}")
    ] = None,
    *,
    rebuild: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Build it again and compare the bytes.")
    ] = None,
) -> None:
    """Check every version, and everything that DVC tracks.

    Exit status: 0 when all is well, 1 when something is not pushed or the record of aliases
    differs, 2 when something is not what it was.
    """
    from digits.registry import verification  # 2 s: MLflow

    if rebuild is not None:
        from digits.registry.rebuild_check import rebuild_version as build

        raise typer.Exit(build(rebuild))
    if model is not None:
        from digits.registry import model_reference

        checked = model_reference.resolve(model)
        print(f"{checked.name}  ok  {checked.content_sha256[:12]}")
        return
    from digits.registry import alias_history, alias_moves

    findings = verification.verify_all()
    print(verification.format_results(findings))
    lines, status = alias_history.check_log(alias_moves.current_alias_state())
    print("\n".join(lines))
    raise typer.Exit(max([status, *(finding.state for finding in findings)]))
