"""`digits dashboard`: open Optuna Dashboard on this computer: the study as it runs."""

from typing import Annotated

import typer

from digits.project import workspace


def dashboard(
    storage: Annotated[str | None, typer.Option(help="Address that replaces tune.storage.")] = None,
    port: Annotated[int, typer.Option(help="First port to try.")] = 8080,
) -> None:
    """Open Optuna Dashboard on this computer: the study as it runs."""
    from digits.project import params_file
    from digits.tuning.dashboard import serve_dashboard

    serve_dashboard(
        params_file.load_params(workspace.checkout_root() / "params.yaml").tune, storage, port
    )
