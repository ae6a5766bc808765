"""Every value of params.yaml is present and valid, or named in an error of one line."""

import difflib
import re
import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml

from digits.project import params_file
from digits.project.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("train.epochs", -1, "train.epochs is -1"),
        ("train.epochs", "20", "train.epochs is '20'"),
        ("train.epochs", True, "train.epochs is true"),
        ("train.epoch", 3, "train.epoch is not a known key"),
        ("train.learning_rate", float("nan"), "train.learning_rate is nan"),
        ("train.device", "tpu", "train.device is 'tpu'"),
        ("model.mlp.hidden", [], "model.mlp.hidden is []"),
        ("model.mlp.hidden", [64, 0], "model.mlp.hidden.1 is 0"),
        ("register.name", "a b", "register.name is 'a b'"),
        ("register.gate", True, "register.gate is true"),
    ],
)
def test_a_bad_value_is_named_in_one_line(values, key, value, words):
    """The error names the key and the value."""
    params = params_file.check_params(values, "test")
    with pytest.raises(UserError, match=rf"^[^\n]*{re.escape(words)}[^\n]*$"):
        params_file.with_changes(params, {key: value}, "params.yaml")


LIBRARY_WORDS = r"valid|instance|Input|Tuple|Dictionary|String|function-|constrained|None|True"
RANGE = "space.train.learning_rate"  # in the section `tune`


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("train", "epochs", None, "train.epochs is empty; it should be a whole number"),
        ("train", "threads", True, "train.threads is true; it should be a whole number"),
        ("train", "batch_size", 1, "train.batch_size is 1; it should be at least 2"),
        ("model", "mlp", [1], "model.mlp is [1]; it should be names with values"),
        ("register", "name", "", "register.name is ''; it should begin with a letter or digit"),
        ("tune", "space", {}, "tune.space is {}; it should not be empty"),
        ("tune", RANGE, None, "tune.space.train.learning_rate is empty; it should be names"),
        ("tune", RANGE, {"low": 1}, "tune.space.train.learning_rate.high is missing"),
        ("tune", RANGE, {"low": 1, "high": "x"}, "high is 'x'; it should be a whole number or be"),
        ("tune", RANGE, {"low": 3, "high": 1}, '{"low": 3, "high": 1}; low must be below high'),
        ("tune", RANGE, {"choices": 3}, "learning_rate.choices is 3; it should be a list"),
        ("tune", RANGE, {"count": [1, 2], "size": 3}, "size is 3; it should be names with values"),
        ("model", "mlp.hidden", ["a"], "model.mlp.hidden.0 is 'a'; it should be a whole number"),
        ("model", "mlp.hidden", [], "model.mlp.hidden is []; it should not be empty"),
        ("recipes", "cnn", None, "recipes.cnn is empty; it should be names with values"),
    ],
)
def test_no_message_has_the_words_of_a_library(values, section, key, value, words):
    """The key is as in the file, the value as in YAML, and what is expected in plain words."""
    head, _, rest = key.partition(".")
    if rest:
        values[section][head][rest] = value
    else:
        values[section][head] = value
    with pytest.raises(UserError) as caught:
        params_file.check_params(values, "params.yaml")
    assert words in str(caught.value)
    assert not re.search(LIBRARY_WORDS, str(caught.value))


def test_a_missing_key_and_an_unknown_one_are_named(values):
    """One error names both, as a misspelt key causes them."""
    values["train"]["epoch"] = values["train"].pop("epochs")
    words = r"^[^\n]*train\.epochs is missing[^\n]*train\.epoch is not a known key[^\n]*$"
    with pytest.raises(UserError, match=words):
        params_file.check_params(values, "params.yaml")


def test_a_recipe_changes_what_it_names_and_nothing_else(values):
    """Dotted keys replace values; all other values stay."""
    values["recipes"] = {"quick": {"train.epochs": 1, "model.mlp.hidden": [8, 4]}}
    checked = params_file.check_params(values, "params.yaml")
    quick = params_file.with_recipe(checked, "quick")

    assert (quick.train.epochs, quick.model.mlp.hidden) == (1, (8, 4))
    before = {"train.epochs": checked.train.epochs, "model.mlp.hidden": checked.model.mlp.hidden}
    assert params_file.with_changes(quick, before, "test") == checked


def test_a_recipe_has_the_values_of_its_base_that_it_does_not_change(path):
    """A base may have a base; merge keys of YAML, as release 0.1.0 wrote them, are read, too."""
    text = path.read_text().partition("recipes:")[0]
    large = {"train.epochs": 3, "train.seed": 7, "model.members": 2}
    bases = "{base: a, train.seed: 7}\n  c: {base: b, model.members: 2}\n"
    merge_keys = "&b {<<: *a, train.seed: 7}\n  c: {<<: *b, model.members: 2}\n"
    for recipes in (bases, merge_keys):
        path.write_text(f"{text}recipes:\n  a: &a {{train.epochs: 3}}\n  b: {recipes}")
        assert params_file.load_params(path).recipes["c"] == large


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"train.epoch": 1}, "recipes.odd: train.epoch is not a known key"),
        ({"train.epochs.more": 1}, "recipes.odd: train.epochs.more is not a known key"),
        ({"train.epochs": 0}, "recipes.odd: train.epochs is 0"),
        ({"base": "odd"}, "params.yaml: recipes.odd.base is 'odd'; expected another recipe"),
    ],
)
def test_a_bad_recipe_is_named_in_one_line(values, recipe, words):
    """A recipe with an unknown key or a value that is not allowed is an error."""
    values["recipes"] = {"odd": recipe}
    with pytest.raises(UserError, match=rf"^[^\n]*{re.escape(words)}[^\n]*$"):
        params_file.check_params(values, "params.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "params.yaml: the file is empty; it should be names with values"),
        ("train: [", "is not valid YAML"),
        ("", "the file is empty"),
        ("- 1", "the file is [1]"),
        ("<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> b\n", "`--theirs`, then run `dvc repro`"),
    ],
)
def test_an_invalid_file_is_an_error_of_one_line(tmp_path, text, words):
    """A params.yaml that is not YAML, holds no mapping or is missing is an error."""
    with pytest.raises(UserError, match="No such file or directory; run this in the project"):
        params_file.load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text(text)

    with pytest.raises(UserError, match=rf"^[^\n]*{re.escape(words)}[^\n]*$"):
        params_file.load_params(tmp_path / "params.yaml")


def test_every_value_carries_a_comment():
    """A comment explains each value of params.yaml, on its line, on its section's, or above it."""
    section = above = ""
    for line in (ROOT / "params.yaml").read_text().splitlines():
        code, _, comment = line.partition("#")
        if re.search(r"^[^.]+:$", code.strip()):
            section = comment or above
        elif code.strip():
            assert comment or section, f"{line.strip()!r} has no comment"
        above = "" if code.strip() else comment


@pytest.fixture
def path(tmp_path):
    """A copy of the shipped params.yaml."""
    return shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("old", "new", "key", "value"),
    [
        ("learning_rate: 0.0067 ", "learning_rate: 1e-05 ", "train.learning_rate", 1e-5),
        ("learning_rate: 0.0067 ", "learning_rate: 1e-3 ", "train.learning_rate", 1e-3),
        ("epochs: 20 ", "epochs: 010 ", "train.epochs", 10),
        ("gate: enforce ", "gate: off ", "register.gate", "off"),
    ],
)
def test_values_are_those_of_yaml_1_2(path, old, new, key, value):
    """DVC reads them so, too; YAML 1.1 would read a text, an octal number and a boolean."""
    path.write_text(path.read_text().replace(old, new, 1))
    section, name = key.split(".")

    assert load_yaml(str(path))[section][name] == value
    assert params_file.load_params(path).model_dump(by_alias=True)[section][name] == value


def test_a_key_that_occurs_twice_is_named_with_its_line(path):
    """Neither of the two values is used silently."""
    path.write_text(path.read_text().replace("  epochs: 20 ", "  epochs: 20\n  epochs: 30 "))
    line = path.read_text().splitlines().index("  epochs: 20") + 2

    words = rf'^[^\n]*line {line}: found duplicate key "epochs"[^\n]*$'
    with pytest.raises(UserError, match=words):
        params_file.load_params(path)


def test_writing_changes_the_lines_of_changed_values_alone(path):
    """Comments stay in their columns."""
    before = path.read_text()
    changes = {
        "model.mlp.hidden": [512, 256, 64],
        "train.learning_rate": 0.00001,
        "train.precision": "float32",
        "model.mlp.batch_norm": False,
        "register.gate": "off",
    }
    params_file.write_values(path, changes)
    lines = list(difflib.ndiff(before.splitlines(), path.read_text().splitlines()))

    assert sum(line[0] == "-" for line in lines) == len(changes)
    new = [line[2:] for line in lines if line[0] == "+"]
    assert f"{'  learning_rate: 1e-05':38}# peak of the schedule" in new
    assert f"{'    batch_norm: false':38}# batch normalization after each hidden layer" in new
    assert [line for line in new if line.startswith("    - ")] == ["    - 256", "    - 64"]
    shipped = params_file.load_params(ROOT / "params.yaml")
    assert params_file.load_params(path) == params_file.with_changes(shipped, changes, "test")


@pytest.mark.parametrize(
    ("words", "old", "new"),
    [
        (["train.epochs=5"], ["20 "], ["5  "]),
        (
            ["register.gate=off", "train.learning_rate=1e-5"],
            ["enforce", "0.0067 "],
            ["off ", "1e-05"],
        ),
        (["model.mlp.hidden=[1024,256,64]"], ["- 512"], ["- 256", "- 64"]),
    ],
)
def test_an_experiment_changes_the_lines_of_its_values_alone(path, words, old, new):
    """DVC's own writer, behind `dvc exp run -S`, reproduces all other lines of params.yaml."""
    before = path.read_text().splitlines()
    apply_overrides(str(path), words)
    lines = list(difflib.ndiff(before, path.read_text().splitlines()))

    for sign, values in (("-", old), ("+", new)):
        changed = sorted(line for line in lines if line[0] == sign)
        assert len(changed) == len(values)
        assert all(any(value in line for line in changed) for value in values)


def test_values_that_were_read_belong_to_the_reader(path):
    """A file is read once; whoever changes the values does not change those of the next."""
    params_file.read_yaml(path)["train"]["epochs"] = "changed"
    assert params_file.read_yaml(path)["train"]["epochs"] != "changed"


def test_equal_values_and_values_that_are_not_allowed_change_no_byte(path):
    """Reading the file and writing it gives the same bytes; an error names a wrong value."""
    params_file.write_values(path, {"model.mlp.hidden": [1024, 512], "train.epochs": 20})
    assert path.read_bytes() == (ROOT / "params.yaml").read_bytes()

    with pytest.raises(UserError, match=r"train\.epochs is 0"):
        params_file.write_values(path, {"train.learning_rate": 0.1, "train.epochs": 0})

    assert path.read_bytes() == (ROOT / "params.yaml").read_bytes()


@pytest.mark.parametrize("value", [1e-7, 0.1, 12345678.0, 3, True, "auto", [1, 2], [], "no"])
def test_a_formatted_value_is_read_back(tmp_path, value):
    """YAML reads a value for `dvc exp run -S` as an equal value of the same type."""
    (word,) = params_file.override_words({"key": value})
    (tmp_path / "x.yaml").write_text(word.replace("=", ": "))
    result = params_file.read_yaml(tmp_path / "x.yaml")["key"]

    assert result == value
    assert type(result) is type(value)
