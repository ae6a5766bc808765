"""`digits results`: show the trained model: its scores, its version, its run."""

from typing import Any

from digits.inference import model_manifest
from digits.project import atomic_files, workspace
from digits.project.text_table import format_table

NEXT = """\
next        . .venv/bin/activate
            digits ui                                the runs, in a browser
            dvc exp run -S train.learning_rate=0.01  another value
            dvc exp run $(digits recipe cnn)          another network
            dvc metrics diff                         what it changed"""


def results() -> None:
    """Show the trained model: its scores, its version, its run."""
    root = workspace.checkout_root()
    trained, tested, registered = (
        atomic_files.read_json(root / f"metrics/{name}.json")
        for name in ("train", "evaluate", "register")
    )
    manifest = atomic_files.read_json(root / "models/digits" / model_manifest.MANIFEST)
    print(
        format_table(
            ["", "accuracy", "95 % interval", "pictures", "loss", "ECE"],
            [_scores("validation", trained, "validation_"), _scores("test", tested, "")],
        )
    )
    print()
    print(f"network     {manifest['kind']}, {trained['parameters']:,} parameters")
    place = "no alias" if registered["alias"] == "none" else registered["alias"]
    if registered["version"] is None:
        print(f"registered  {registered['name']}: not yet, `digits send` does it")
    else:
        print(f"registered  {registered['name']} version {registered['version']}, {place}")
    print(f"MLflow run  {manifest['run_id']}")
    print()
    print(NEXT)


def _scores(name: str, metrics: dict[str, Any], prefix: str) -> list[str]:
    """A row of the table of results."""
    low, high = metrics[f"{prefix}accuracy_interval"]
    return [
        name,
        f"{metrics[f'{prefix}accuracy']:.2%}",
        f"{low:.2%} to {high:.2%}",
        f"{metrics[f'{prefix}n']:,}",
        f"{metrics[f'{prefix}loss']:.4f}",
        f"{metrics[f'{prefix}ece']:.2%}",
    ]
