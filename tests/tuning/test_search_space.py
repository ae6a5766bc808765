"""The search space draws values that the schema allows, and refuses impossible spaces."""

import optuna
import pytest
from optuna.trial import FixedTrial

from digits.project import params_file
from digits.project.errors import UserError
from digits.tuning.search_space import SearchSpace


def build_space(values, space):
    """The search space of `values` with `space` as tune.space."""
    values["tune"]["space"] = space
    return SearchSpace(params_file.check_params(values, "params.yaml"))


def test_every_draw_is_a_valid_setting(values):
    """Drawn values pass the schema, lie in the space and have few digits.

    Whole numbers, lists and values of the network that is not in use can be searched too. The
    current values and the drawn ones survive the way to Optuna's parameters and back.
    """
    more = {
        "model.cnn.channels": {"choices": [[8], [8, 16]]},
        "train.epochs": {"low": 2, "high": 9},
        "train.precision": {"choices": ["auto", "float32"]},
        "model.torchvision.name": {"choices": ["resnet18", "mobilenet_v3_small"]},
    }
    space = build_space(values, values["tune"]["space"] | more)
    assert space.draw(FixedTrial(space.to_optuna(space.current))) == space.current
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(50):
        setting = space.draw(study.ask())
        drawn = params_file.with_changes(space.values, setting, "trial")

        assert 0.001 <= drawn.train.learning_rate <= 0.1
        assert 1 <= len(drawn.model.mlp.hidden) <= 2
        assert set(drawn.model.mlp.hidden) <= {8, 16, 32}
        assert drawn.train.batch_size in {50, 100, 200}
        assert drawn.model.cnn.channels in {(8,), (8, 16)}
        assert 2 <= drawn.train.epochs <= 9
        assert isinstance(setting["augment.elastic"], float)
        assert len(f"{drawn.train.learning_rate:g}".replace("0", "").strip(".")) <= 3
        assert space.draw(FixedTrial(space.to_optuna(setting))) == setting


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"train.learning_rat": {"low": 1, "high": 2}}, "train.learning_rat is not a known key"),
        ({"split.seed": {"low": 1, "high": 2}}, "tune.space has split.seed; only values of model"),
        ({"train.batch_size": {"low": 8.5, "high": 64}}, "train.batch_size is 8.5"),
        ({"train.device": {"choices": ["cpu", "tpu"]}}, "tune.space has train.device"),
        ({"train.warmup": {"low": 0.1, "high": 1.5}}, "tune.space: train.warmup is 1.5"),
        ({"model.mlp.hidden": {"count": [1, 2], "size": {"low": 0, "high": 64}}}, "hidden.0 is 0"),
        ({"train.learning_rate": {"low": 0.03, "high": 0.001}}, "low must be below high"),
        ({"train.learning_rate": {"low": 0, "high": 0.1, "log": True}}, "low must be above 0 on"),
        ({"train.batch_size": {"choices": []}}, "train.batch_size.choices is []"),
        ({"train.batch_size": {"choices": [64, 64]}}, "the choices must differ"),
        ({"model.mlp.hidden": {"count": [3, 1], "size": {"choices": [8]}}}, "[at least, at most]"),
        ({}, "tune.space is {}"),
    ],
)
def test_an_impossible_space_is_refused_in_one_line(values, space, words):
    """The message names the parameter and its error."""
    with pytest.raises(UserError) as caught:
        build_space(values, space)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "search"),
    [
        ("train.learning_rate", {"low": 0.01, "high": 0.1}),
        ("train.batch_size", {"choices": [64, 128]}),
        ("model.mlp.hidden", {"count": [2, 3], "size": {"choices": [32]}}),
        ("model.mlp.hidden", {"count": [1, 3], "size": {"low": 64, "high": 128}}),
    ],
)
def test_a_space_without_the_current_values_is_refused(values, key, search):
    """The search begins with the current values, so the space must contain them."""
    space = build_space(values, {key: search})

    with pytest.raises(UserError, match=f"params.yaml has {key} .* widen the space"):
        space.to_optuna(space.current)
