"""`digits ui`: show runs, metrics and versions in the MLflow UI."""

from digits.cli.options import port_option


@port_option(5000)
def ui(port: int | None) -> None:
    """Show runs, metrics and versions in the MLflow UI.

    Starts the UI on this computer and, when it answers, prints the address of the runs, the most
    accurate first; Ctrl-C ends it. If MLFLOW_TRACKING_URI names a server that answers, prints the
    address there.

    Example: digits ui --port 5001
    """
    from digits.tracking.mlflow_ui import serve_ui  # 2 s: MLflow

    serve_ui(port)
