"""The tags and the description that a person reads first of a run."""

import subprocess

import pytest

from digits.tracking import run_summary

PARAMS = """
train: {epochs: 20, learning_rate: 1e-2}
recipes:
  small: {train.learning_rate: 0.01}
  large: {train.learning_rate: 0.5}
"""


@pytest.fixture
def committed(tmp_path):
    """A checkout whose params.yaml is committed."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    person = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (["init", "-q"], ["add", "."], [*person, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("epochs", "rate", "recipe", "changed"),
    [
        (20, 0.01, "small", "nothing"),
        (3, 0.01, "small", "train.epochs=3"),
        (20, 0.5, "large", "nothing"),
        (3, 0.2, "small, changed", "train.learning_rate=0.2, train.epochs=3"),
    ],
)
def test_the_recipe_and_what_differs_from_it_or_from_the_commit_are_named(
    committed, epochs, rate, recipe, changed
):
    """Equal numbers are equal however they are written."""
    params = {"train": {"epochs": epochs, "learning_rate": rate}}
    tags = run_summary.summary_tags(committed, params)
    assert tags == {"recipe": recipe, "changed": changed}


def test_a_run_without_recipes_has_no_recipe(tmp_path):
    """A params.yaml that is missing, or has no recipes, does not disturb a training."""
    assert run_summary.summary_tags(tmp_path, {"train": {"epochs": 3}}) == {}
    (tmp_path / "params.yaml").write_text("train: {epochs: 2}")
    assert run_summary.summary_tags(tmp_path, {"train": {"epochs": 3}}) == {}


def test_a_paragraph_is_replaced_alone():
    """What a person added to a description stays."""
    note = run_summary.replace_paragraph("Look at this one.", "Test", "90 % right.")
    note = run_summary.replace_paragraph(note, "Gate", "Passed.")
    again = run_summary.replace_paragraph(note, "Test", "91 % right.")
    assert again == "Look at this one.\n\n**Test.** 91 % right.\n\n**Gate.** Passed."
