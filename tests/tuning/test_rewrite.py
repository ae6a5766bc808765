"""params.yaml is changed value by value, and by nothing else."""

import difflib
import subprocess
from pathlib import Path

import pytest
import yaml

from stages.lib import params
from stages.lib.errors import UserError
from stages.tuning.rewrite import command, rewrite, written
from tests.conftest import call

ROOT = Path(__file__).parents[2]
WINNER = {
    "model.mlp.hidden": [512, 256, 64],
    "train.learning_rate": 0.00001,
    "train.batch_size": 64,
    "train.precision": "float32",
    "model.mlp.batch_norm": False,
    "augment.elastic": 0.0,
}


@pytest.fixture
def path(tmp_path):
    """A copy of the shipped params.yaml."""
    copy = tmp_path / "params.yaml"
    copy.write_bytes((ROOT / "params.yaml").read_bytes())
    return copy


def differences(before, after):
    """The lines of `after` that `before` has not, and the number of those that went."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [x[2:] for x in lines if x[0] == "+"], sum(x[0] == "-" for x in lines)


def test_only_the_lines_of_changed_values_differ(path):
    """One line per value, with its comment in its column."""
    before = path.read_text()
    rewrite(path, WINNER)
    new, gone = differences(before, path.read_text())

    assert len(new) == gone == len(WINNER)
    assert "  learning_rate: 0.00001  # peak" in new
    assert "    batch_norm: false     # of each hidden layer's outputs" in new
    assert all("#" in line for line in new)
    found = params.load(path)
    assert found.model.mlp.hidden == (512, 256, 64)
    assert found.train.learning_rate == 1e-5
    assert found.train.precision == "float32"


def test_what_the_file_has_is_written_back_as_the_same_bytes(path):
    """Writing the values that are there changes nothing."""
    before = path.read_bytes()
    values = yaml.safe_load(before)
    rewrite(path, {"model.mlp.hidden": values["model"]["mlp"]["hidden"], "train.epochs": 20})

    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hidden: [1024, 512] ", "hidden:\n      - 1024\n      - 512\n "),
        ("hidden: [1024, 512] ", "hidden: [1024,\n             512]  "),
        ("hidden: [1024, 512] ", "hidden:   [ 1024 , 512 ]"),
        ("train:\n", "train: &anchor\n"),
        ("\n", "\r\n"),
        ("# Every value", "\ufeff# Every value"),
        ("rotation: ", "'rotation':   +"),
    ],
)
def test_other_layouts_stay_as_they_are(path, old, new):
    """Lists in blocks, odd spaces, anchors and line ends survive."""
    before = path.read_bytes().decode().replace(old, new, 1)
    path.write_bytes(before.encode())
    rewrite(path, {"model.mlp.hidden": [64], "augment.rotation": 3.0})
    after = path.read_bytes().decode()

    assert params.load(path).model.mlp.hidden == (64,)
    assert params.load(path).augment.rotation == 3.0
    assert len(differences(before, after)[0]) == 2


def test_a_layout_that_is_not_understood_is_left_alone(path):
    """The message says what to write, and the file is as it was."""
    text = path.read_text().replace("hidden: [1024, 512]  ", "hidden:\n    - 1024\n    - 512\n    ")
    path.write_text(text)

    with pytest.raises(UserError, match=r"write model.mlp.hidden: \[64\] there"):
        rewrite(path, {"model.mlp.hidden": [64]})
    assert path.read_text() == text


@pytest.mark.parametrize("value", [1e-7, 0.1, 12345678.0, 3, True, "auto", [1, 2], [], "no", "1"])
def test_a_written_value_is_read_back(value):
    """YAML reads what was written, of the same type."""
    found = yaml.safe_load(written(value))

    assert found == value
    assert type(found) is type(value)


def test_the_command_does_in_dvc_what_rewriting_does(clone, path):
    """`dvc exp run -S ...` as it is printed, through a shell, gives the same values."""
    line = command(WINNER).replace("dvc exp run", "dvc exp run --queue --name winner")
    call(clone, "sh", "-c", line)
    queued = subprocess.run(
        ["git", "stash", "list"], cwd=clone, check=True, capture_output=True, text=True
    )
    show = call(clone, "dvc", "exp", "show", "--json").stdout
    assert queued.returncode == 0
    assert show
