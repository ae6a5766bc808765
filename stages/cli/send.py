"""`digits send`: send what was kept here while the tracking server was away."""

from functools import partial

from stages.lib import files


def send() -> None:
    """Send what was kept here while the tracking server was away."""
    from stages import register
    from stages.lib import params
    from stages.lib.tracking import outbox  # 2 s: MLflow

    root = files.workspace()
    rules = params.load(root / "params.yaml").register_
    validation = root / "data/splits/validation.npz"
    sent = outbox.send(partial(register.decide, rules=rules, validation=validation))
    registration = root / "metrics/register.json"
    for version, decision in sent.versions:
        waits = registration.exists() and files.read_json(registration)
        if waits and waits["content_sha256"] == version.content_sha256:
            register.write(version, decision, registration)
    print(sent)
