"""A model becomes a version once for its bytes, and champion when it validates better."""

import pytest
import yaml

from stages.lib import files, params, stage
from stages.lib.tracking import registry
from stages.register import decide, register
from tests.test_train import run_evaluate, run_train


def build(folder, values, **train):
    """Train, evaluate and register with some values of `train` changed."""
    values["train"] |= train
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    run_train(folder)
    run_evaluate()
    register(**stage.arguments(register, params.load()))
    return files.read_json(folder / "metrics/register.json")


def test_versions_follow_the_bytes_and_the_champion_the_validation(workspace, values):
    """Same bytes: same version. Better: champion. Worse: challenger."""
    poor = build(workspace, values, epochs=1)
    again = build(workspace, values, epochs=1)
    good = build(workspace, values, epochs=4)
    worse = build(workspace, values, epochs=2, learning_rate=1e-5)

    assert [v["version"] for v in (poor, again, good, worse)] == [1, 1, 2, 3]
    assert [v["alias"] for v in (poor, again, good, worse)] == [
        "champion",
        "champion",
        "champion",
        "challenger",
    ]
    found = registry.versions("digits")
    assert [v.aliases for v in found] == [("challenger",), ("champion",), ()]
    assert (
        found[0].test_accuracy == files.read_json(workspace / "metrics/evaluate.json")["accuracy"]
    )

    import mlflow

    from stages.lib import dataset

    mlflow.set_tracking_uri(found[0].store.uri)
    loaded = mlflow.pyfunc.load_model("models:/digits@champion")
    images = dataset.load(workspace / "data/splits/test.npz").images[:3]
    assert loaded.predict(images)["logits"].shape == (3, 10)


class Scored:
    """A version as far as the decision looks at it."""

    def __init__(self, validation, test):
        self.validation_accuracy, self.test_accuracy = validation, test


@pytest.mark.parametrize(
    ("candidate", "champion", "alias"),
    [
        (Scored(0.9, 0.9), None, "champion"),
        (Scored(0.91, 0.8), Scored(0.9, 0.9), "champion"),
        (Scored(0.9, 0.99), Scored(0.9, 0.9), "challenger"),
        (Scored(0.89, 0.99), Scored(0.9, 0.9), "challenger"),
        (Scored(None, 0.99), Scored(0.9, 0.9), "challenger"),
    ],
)
def test_the_decision_looks_at_validation_alone(candidate, champion, alias):
    """The first or the better by validation is champion; the test accuracy is no reason."""
    assert decide(candidate, champion) == alias
