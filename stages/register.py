"""Publish the model as a new version of the registered model and give it an alias.

python -m stages.register
"""

from pathlib import Path
from typing import Any

from stages.lib import files, params, stage
from stages.lib.tracking import registry
from stages.lib.tracking.version import Version


def register(
    register: params.Register,
    trained: Path = Path("models/digits"),
    training: Path = Path("metrics/train.json"),
    evaluation: Path = Path("metrics/evaluate.json"),
    *,
    registration: Path = Path("metrics/register.json"),
) -> None:
    """Make `trained` a version of `register.name`; the same bytes make no second version.

    Raises UserError when the model is missing or damaged.
    """
    manifest = files.read_manifest(trained)
    version = registry.register(
        register.name,
        trained,
        run_id=str(manifest["run_id"]),
        content_hash=str(manifest["content_sha256"]),
        metrics=_metrics(files.read_json(training), files.read_json(evaluation)),
    )
    alias = registry.promote(version, decide)
    entry = {"name": version.name, "version": version.number, "alias": alias}
    files.write_json(registration, entry)
    print(f"{version.name} version {version.number} is {alias}")


def _metrics(training: dict[str, Any], evaluation: dict[str, Any]) -> dict[str, float]:
    """What a version carries of the numbers, to be compared by."""
    return {
        "validation_accuracy": training["validation_accuracy"],
        "test_accuracy": evaluation["accuracy"],
    }


def decide(candidate: Version, champion: Version | None) -> str:
    """The alias of `candidate`: `champion` if it is the first or validates better.

    The test accuracy is no reason: choices are made on validation pictures.
    """
    if champion is None:
        return "champion"
    ours, theirs = candidate.validation_accuracy or 0.0, champion.validation_accuracy or 0.0
    return "champion" if ours > theirs else "challenger"


if __name__ == "__main__":
    stage.main(register)
