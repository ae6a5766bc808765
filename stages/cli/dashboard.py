"""`digits dashboard`: open Optuna Dashboard on this computer: the study as it runs."""

from typing import Annotated

import typer

from stages.lib import files


def dashboard(
    storage: Annotated[str | None, typer.Option(help="Address that replaces tune.storage.")] = None,
    port: Annotated[int, typer.Option(help="First port to try.")] = 8080,
) -> None:
    """Open Optuna Dashboard on this computer: the study as it runs."""
    from stages.lib import params
    from stages.tuning.dashboard import serve_dashboard

    serve_dashboard(params.load(files.workspace() / "params.yaml").tune, storage, port)
