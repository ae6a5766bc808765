"""Score the trained model on the test images, once: `python -m stages.evaluate`."""

from pathlib import Path

from digits.evaluation import evaluate_model
from digits.project import stage
from digits.project.params_schema import EvaluateParams


def evaluate(
    evaluate: EvaluateParams,
    trained: Path = Path("models/digits"),
    test: Path = Path("data/splits/test.npz"),
    history: Path = Path("metrics/history.csv"),
    *,
    metrics: Path = Path("metrics/evaluate.json"),
    classes: Path = Path("metrics/classes.csv"),
    predictions: Path = Path("metrics/predictions.csv"),
    reliability: Path = Path("metrics/reliability.csv"),
    robustness: Path = Path("metrics/robustness.csv"),
    pictures: Path = Path("metrics/pictures"),
) -> None:
    """Write the scores of `trained` on `test`, and log them to the run that trained it."""
    outputs = {"metrics": metrics, "classes": classes, "predictions": predictions}
    outputs |= {"reliability": reliability, "robustness": robustness, "pictures": pictures}
    evaluate_model.evaluate(evaluate, trained, test, history, **outputs)


if __name__ == "__main__":
    stage.main(evaluate)
