"""`digits dashboard`: show the hyperparameter search in Optuna Dashboard."""

from digits.cli.options import PortOption, StorageOption
from digits.project import workspace


def dashboard(storage: StorageOption = None, port: PortOption = 8080) -> None:
    """Show the hyperparameter search in Optuna Dashboard.

    Serves the pages of the study named in params.yaml (tune.study) on this computer, also while
    `digits tune` runs. Prints the address; Ctrl-C ends it.
    """
    from digits.project import params_file
    from digits.tuning.dashboard import serve_dashboard

    values = params_file.load_params(workspace.checkout_root() / "params.yaml")
    serve_dashboard(values.tune, storage, port)
