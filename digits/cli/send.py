"""`digits send`: send what was kept here while the tracking server was away."""

from functools import partial

from digits.project import atomic_files, workspace


def send() -> None:
    """Send what was kept here while the tracking server was away."""
    from digits.project import params_file
    from digits.registry import (
        promotion_decision,
        register_model,
        send_pending,  # 2 s: MLflow
    )

    root = workspace.checkout_root()
    rules = params_file.load_params(root / "params.yaml").register_
    validation = root / "data/splits/validation.npz"
    sent = send_pending.send_pending(
        partial(promotion_decision.decide_alias, rules=rules, validation=validation)
    )
    registration = root / "metrics/register.json"
    for version, decision in sent.versions:
        waits = registration.exists() and atomic_files.read_json(registration)
        if waits and waits["content_sha256"] == version.content_sha256:
            register_model.write_registration(version, decision, registration)
    print(sent)
