"""`digits send`: send runs and models that wait for the tracking server."""

from digits.project import workspace


def send() -> None:
    """Send runs and models that wait for the tracking server.

    While the server at MLFLOW_TRACKING_URI does not answer, training keeps its runs, models and
    registrations in .state/runs. This command writes them to the server, and the promotion rules
    (`register` in params.yaml) decide which version becomes champion. Repeating it is harmless.

    Example: digits send
    """
    from digits.project import params_file
    from digits.registry import send_pending  # 2 s: MLflow

    root = workspace.checkout_root()
    rules = params_file.load_params(root / "params.yaml").register_
    validation, registration = root / "data/splits/validation.npz", root / "metrics/register.json"
    print(send_pending.send_and_decide(rules, validation, registration=registration))
