"""`digits results`: show the trained model's scores, version and run."""

import json
import os
from pathlib import Path
from typing import Any

from digits.cli.options import json_option
from digits.project import workspace
from digits.project.errors import UserError
from digits.project.text_table import format_table

HEAD = ["", "accuracy", "95 % interval", "balanced", "images", "loss", "ECE"]
ACTIVATE = ". .venv/bin/activate\n            "
NEXT_STEPS = f"""\
next        {ACTIVATE}digits ui                                show the runs in the MLflow UI
            dvc exp run -S train.learning_rate=0.01  train with another value
            dvc exp run $(digits recipe cnn)         train another network
            dvc metrics diff                         compare the scores with the last commit"""
# What `git status` shows after a build in which no value, code or data was changed.
INPUTS = ("params.yaml", "dvc.yaml", "stages", "digits")
OTHER_RUN = """\
git status  dvc.lock and the alias log name your run; all numbers are those of the last commit"""
OTHER_DIGITS = """\
git status  your last digits differ from those of the last commit, as on any other processor"""
KEEP_BASELINE = """
            git add . && git commit -m baseline      compare with your numbers from now on"""


@json_option
def results(as_json: bool = False) -> None:
    """Show the trained model's scores, version and run.

    Reads what the last `dvc repro` wrote to metrics/ and models/digits. Accuracy and loss are on
    the validation and the test images; ECE is the expected calibration error.

    Example: digits results --json
    """
    from digits.inference import checkout_model, model_manifest
    from digits.project import atomic_files

    if absence := checkout_model.explain_absence():
        raise UserError(absence)
    root = workspace.checkout_root()
    trained, tested, registered = (
        atomic_files.read_json(root / f"metrics/{name}.json")
        for name in ("train", "evaluate", "register")
    )
    trained, tested = _with_interval(trained, "validation_"), _with_interval(tested, "")
    manifest = atomic_files.read_json(root / workspace.MODEL_OUTPUT / model_manifest.MANIFEST)
    if as_json:
        registered = _with_present_alias(registered)
        parts = {"train": trained, "evaluate": tested, "register": registered}
        print(json.dumps({**parts, "manifest": manifest}, indent=2))
        return
    rows = [_scores("validation", trained, "validation_"), _scores("test", tested, "")]
    print(f"{format_table(HEAD, rows)}\n")
    print(f"network     {manifest['kind']}, {trained['parameters']:,} parameters")
    print(f"registered  {_registration(registered)}")
    print(f"MLflow run  {manifest['run_id']}")
    difference = _difference_from_commit()
    steps = NEXT_STEPS + (KEEP_BASELINE if difference else "")
    if "VIRTUAL_ENV" in os.environ:
        steps = steps.replace(ACTIVATE, "")
    print(f"{difference}\n\n{steps}" if difference else f"\n{steps}")


def _with_present_alias(registered: dict[str, Any]) -> dict[str, Any]:
    """Return `registered`, which was written by the stage, with the aliases of now."""
    from digits.registry import version_lookup  # 1 s: MLflow
    from digits.tracking.tracking_store import StoreUnavailableError

    try:
        version = version_lookup.find_registration(registered["name"], registered["content_sha256"])
    except StoreUnavailableError:
        return registered
    if version is None:
        return registered
    return registered | {"version": version.number, "alias": ", ".join(version.aliases) or "none"}


def _registration(registered: dict[str, Any]) -> str:
    """Describe the model's version in the registry in use; `registered` is what was written."""
    from digits.inference.checkout_model import REGISTER_AGAIN
    from digits.registry import version_lookup  # 1 s: MLflow
    from digits.tracking.tracking_store import StoreUnavailableError

    name, number = registered["name"], registered["version"]
    try:
        version = version_lookup.find_registration(name, registered["content_sha256"])
    except StoreUnavailableError as error:
        return f"{name} version {number} when it was built; now {error}"
    if version is not None:
        return f"{name} version {version.number}, {', '.join(version.aliases) or 'no alias'}"
    if number is None:
        return f"{name}: not yet, `digits send` does it"
    return f"{name}: no longer, version {number} is not in the registry; {REGISTER_AGAIN}"


def _difference_from_commit() -> str:
    """Say why git shows other results than the last commit has, although no input was changed."""
    from digits.project.git_revisions import changed_files

    results = {Path(path).name for path in changed_files("dvc.lock", "metrics")}
    if "dvc.lock" not in results or changed_files(*INPUTS):
        return ""
    return OTHER_DIGITS if results & {"train.json", "evaluate.json"} else OTHER_RUN


def _with_interval(metrics: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Add the 95 % interval of the accuracy, as the numbers of both splits have it."""
    from digits.evaluation.scores import wilson_interval

    n = int(metrics[f"{prefix}n"])
    bounds = wilson_interval(round(metrics[f"{prefix}accuracy"] * n), n)
    return metrics | {f"{prefix}accuracy_interval": [round(x, 6) for x in bounds]}


def _scores(name: str, metrics: dict[str, Any], prefix: str) -> list[str]:
    """Return a row of the table: the scores on one split."""
    accuracy, (low, high), n, loss = (
        metrics[prefix + key] for key in ("accuracy", "accuracy_interval", "n", "loss")
    )
    interval = f"{low:.2%} to {high:.2%}"
    # the temperature is fitted on validation; results of older releases have no balanced accuracy
    shares = (metrics.get(f"{prefix}{key}") for key in ("balanced_accuracy", "ece"))
    balanced, ece = ("-" if share is None else f"{share:.2%}" for share in shares)
    return [name, f"{accuracy:.2%}", interval, balanced, f"{n:,}", f"{loss:.4f}", ece]
