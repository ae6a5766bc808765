"""`digits send`: send what was kept here while the tracking server was away."""

from functools import partial

from stages.lib import files


def send() -> None:
    """Send what was kept here while the tracking server was away."""
    from stages.lib import params
    from stages.lib.tracking import outbox  # 2 s: MLflow
    from stages.register import decide

    root = files.workspace()
    rules = params.load(root / "params.yaml").register_
    validation = root / "data/splits/validation.npz"
    print(outbox.send(partial(decide, rules=rules, validation=validation)))
