"""The README says what is so."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from digits.cli.main import app
from digits.project import params_file
from tests.conftest import call

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def marked(name):
    """The text between the comments `name` and `/name`."""
    return re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL).group(1).strip()


def test_it_is_short():
    """Under 200 lines."""
    assert len(README.splitlines()) < 200


def test_the_table_is_what_digits_report_wrote():
    """The numbers are those of metrics/report.md, letter for letter."""
    assert marked("report") == (ROOT / "metrics/report.md").read_text().strip()


def test_the_picture_of_the_pipeline_is_what_dvc_draws():
    """The graph is the output of `dvc dag`."""
    drawn = call(ROOT, "dvc", "dag").stdout

    assert [line.strip() for line in marked("dag").splitlines()[1:-1]] == [
        line.strip() for line in drawn.rstrip().splitlines()
    ]


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`digits ([a-z]+)", README))))
def test_every_command_it_names_exists(command):
    """Each `digits ...` is a command with a help text."""
    assert get_command(app).commands[command].help


def test_every_command_is_in_it():
    """No command is left out."""
    assert set(get_command(app).commands) <= set(re.findall(r"`digits ([a-z]+)", README))


def test_every_room_is_in_the_tree():
    """The tree names each folder of the package, and no other."""
    tree = README.split("    digits/ ")[1].split("    tests/ ")[0]
    rooms = {path.parent.name for path in (ROOT / "digits").glob("*/__init__.py")}

    assert set(re.findall(r"^      (\w+)/", tree, re.MULTILINE)) == rooms


def test_every_changed_value_exists():
    """The keys after -S are keys of params.yaml."""
    values = params_file.read_yaml(ROOT / "params.yaml")
    for key in re.findall(r"-S ([a-z_.]+)=", README):
        section, name = key.split(".")
        assert name in values[section], key


def test_every_linked_picture_exists():
    """Pictures and links within the repository lead somewhere."""
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / path).is_file(), path
