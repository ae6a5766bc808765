"""Train one network and save it for torch and for ONNX: `python -m stages.train`."""

from pathlib import Path

from digits.project import stage
from digits.project.params_schema import AugmentParams, ModelParams, TrainParams


def train(
    model: ModelParams,
    augment: AugmentParams,
    train: TrainParams,
    training: Path = Path("data/splits/train.npz"),
    validation: Path = Path("data/splits/validation.npz"),
    *,
    trained: Path = Path("models/digits"),
    history: Path = Path("metrics/history.csv"),
    metrics: Path = Path("metrics/train.json"),
) -> None:
    """Train `model`, and save the epoch with the best validation accuracy to `trained`."""
    from digits.training import train_model  # it imports torch, which reads the environment

    outputs = {"trained": trained, "history": history, "metrics": metrics}
    train_model.train(model, augment, train, training, validation, **outputs)


if __name__ == "__main__":
    stage.main(train)
