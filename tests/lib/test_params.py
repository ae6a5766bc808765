"""params.yaml: every value is there, right, and told of in one line when it is not."""

import re
from pathlib import Path

import pytest

from stages.lib import params
from stages.lib.errors import UserError

ROOT = Path(__file__).parents[2]


def test_the_shipped_values_are_valid():
    """params.yaml as it is shipped can be loaded."""
    assert params.load(ROOT / "params.yaml").train.epochs > 0


def changed(values, key, value):
    """`values` with the dotted `key` set, or removed when `value` is None."""
    *path, last = key.split(".")
    section = values
    for name in path:
        section = section[name]
    section.pop(last, None)
    if value is not None:
        section[last] = value
    return values


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("train.epochs", -1, "train.epochs is -1"),
        ("train.epochs", 2.5, "train.epochs is 2.5"),
        ("train.epochs", "20", "train.epochs is '20'"),
        ("train.epochs", True, "train.epochs is True"),
        ("train.epochs", None, "train.epochs is missing"),
        ("train.epoch", 3, "train.epoch is not a known key"),
        ("train.learning_rate", 0.0, "train.learning_rate is 0.0"),
        ("train.learning_rate", float("nan"), "train.learning_rate is nan"),
        ("train.learning_rate", "1e-3", "train.learning_rate is '1e-3'"),
        ("train.batch_size", 0, "train.batch_size is 0"),
        ("train.device", "tpu", "train.device is 'tpu'"),
        ("model.kind", "rnn", "model.kind is 'rnn'"),
        ("model.mlp.hidden", [], "model.mlp.hidden is []"),
        ("model.mlp.hidden", [64, 0], "model.mlp.hidden.1 is 0"),
        ("model.mlp.hidden", 64, "model.mlp.hidden is 64"),
        ("split.validation_share", 0, "split.validation_share is 0"),
        ("split.validation_share", 1.0, "split.validation_share is 1.0"),
        ("split.seed", -1, "split.seed is -1"),
        ("register.name", "a b", "register.name is 'a b'"),
        ("register.gate", "maybe", "register.gate is 'maybe'"),
        ("register.gate", True, "register.gate is True"),
        ("register.level", 0.0, "register.level is 0.0"),
        ("register.latency", 0.0, "register.latency is 0.0"),
        ("register.ece", None, "register.ece is missing"),
        ("tranin", {"epochs": 3}, "tranin is not a known key"),
        ("split", None, "split is missing"),
    ],
)
def test_a_bad_value_is_named_in_one_line(values, key, value, words):
    """An unknown, missing, mistyped or impossible value is told by its name."""
    with pytest.raises(UserError) as caught:
        params.check(changed(values, key, value), "params.yaml")

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_changes_what_it_names_and_nothing_else(values):
    """Dotted keys replace values; the rest stays."""
    values["recipes"] = {"quick": {"train.epochs": 1, "model.mlp.hidden": [8, 4]}}
    checked = params.check(values, "params.yaml")
    quick = params.recipe(checked, "quick")

    assert (quick.train.epochs, quick.model.mlp.hidden) == (1, (8, 4))
    undone = params.changed(
        quick,
        {"train.epochs": checked.train.epochs, "model.mlp.hidden": checked.model.mlp.hidden},
        "test",
    )
    assert undone == checked


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"train.epoch": 1}, "recipes.odd: train.epoch is not a known key"),
        ({"epochs": 1}, "recipes.odd: epochs is not a known key"),
        ({"train.epochs.more": 1}, "recipes.odd: train.epochs.more is not a known key"),
        ({"recipes.odd": {}}, "recipes.odd: recipes.odd is not a known key"),
        ({"train.epochs": 0}, "recipes.odd: train.epochs is 0"),
    ],
)
def test_a_bad_recipe_is_named_in_one_line(values, recipe, words):
    """A recipe that changes what is not there, or to what may not be, is refused."""
    values["recipes"] = {"odd": recipe}
    with pytest.raises(UserError, match=r"^[^\n]*$") as caught:
        params.check(values, "params.yaml")

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: [", "is not valid YAML"),
        ("", "the file is None"),
        ("- 1", "the file is [1]"),
        ("a: &a [*a]", "not"),
        ("\x00", "is not valid YAML"),
    ],
)
def test_a_broken_file_is_told_in_one_line(tmp_path, text, words):
    """A params.yaml that holds no mapping is refused with a sentence."""
    (tmp_path / "params.yaml").write_text(text)

    with pytest.raises(UserError, match=r"^[^\n]*$") as caught:
        params.load(tmp_path / "params.yaml")

    assert words in str(caught.value)


def test_a_missing_file_is_told_in_one_line(tmp_path):
    """Without params.yaml the message says where to run the command."""
    with pytest.raises(UserError, match="No such file or directory; run this in the project"):
        params.load(tmp_path / "params.yaml")


def test_every_value_carries_a_comment():
    """Each value of params.yaml says what it is, on its line, its section's or above it."""
    section = above = ""
    for line in (ROOT / "params.yaml").read_text().splitlines():
        code, _, comment = line.partition("#")
        if re.search(r":( &\w+)?$", code.strip()):
            section = comment or above
        elif code.strip():
            assert comment or section, f"{line.strip()!r} has no comment"
        above = "" if code.strip() else comment


def test_a_bare_off_is_the_word(values):
    """YAML 1.1 reads `gate: off` as False."""
    assert params.check(changed(values, "register.gate", False), "x").register_.gate == "off"
