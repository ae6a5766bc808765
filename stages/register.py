"""Register the trained model as a version and decide its alias: `python -m stages.register`."""

from pathlib import Path

from digits.project import stage
from digits.project.params_schema import RegisterParams
from digits.registry import register_model


def register(
    register: RegisterParams,
    trained: Path = Path("models/digits"),
    training: Path = Path("metrics/train.json"),
    evaluation: Path = Path("metrics/evaluate.json"),
    validation: Path = Path("data/splits/validation.npz"),
    *,
    registration: Path = Path("metrics/register.json"),
) -> None:
    """Register `trained` as a version of `register.name`; decide whether it becomes champion."""
    inputs = (trained, training, evaluation, validation)
    register_model.register(register, *inputs, registration=registration)


if __name__ == "__main__":
    stage.main(register)
