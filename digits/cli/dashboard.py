"""`digits dashboard`: show the hyperparameter search in Optuna Dashboard."""

from digits.cli.options import port_option, storage_option, study_option
from digits.project import workspace


@study_option
@storage_option
@port_option(8080)
def dashboard(study: str | None, storage: str | None, port: int | None) -> None:
    """Show the hyperparameter search in Optuna Dashboard.

    Serves the pages of a study on this computer, also while `digits tune` runs. Prints the
    address; Ctrl-C ends it. The study NAME:confirm has the comparison at the end of a search.

    Example: digits dashboard --port 8090
    """
    from digits.project import params_file
    from digits.tuning.dashboard import serve_dashboard

    values = params_file.load_params(workspace.checkout_root() / "params.yaml")
    serve_dashboard(values.tune, storage, study, port)
