"""`digits ui`: open the MLflow UI on this computer: runs, metrics, models."""

from typing import Annotated

import typer


def ui(port: Annotated[int, typer.Option(help="First port to try.")] = 5000) -> None:
    """Open the MLflow UI on this computer: runs, metrics, models."""
    from digits.tracking.mlflow_ui import serve_ui  # 2 s: MLflow

    serve_ui(port)
