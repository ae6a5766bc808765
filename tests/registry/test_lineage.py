"""From a file, a run, a version or a commit to the other three, and back."""

import json

import pytest

from digits.inference import model_manifest
from digits.project import hashing
from digits.project.errors import UserError
from digits.registry import model_reference, version_lookup
from digits.registry.lineage import trace_lineage
from digits.registry.model_version import REMOVED_TAG
from digits.tracking import run_lookup
from tests import sealed
from tests.cli.test_main import run
from tests.conftest import call


@pytest.fixture
def lineage(checkout, capsys):
    """A function: arguments -> what `digits lineage` prints of them."""

    def printed(*arguments):
        assert run("lineage", *arguments) == 0
        return capsys.readouterr().out

    return printed


def test_a_version_leads_to_everything_else(checkout, lineage):
    """Content, folder, run, both commits, data and parameters: as JSON, and a fact a line."""
    manifest = model_manifest.check_files(checkout / "models/digits")
    traced = trace_lineage("champion")

    assert traced["model"]["content_sha256"] == manifest["content_sha256"]
    assert traced["model"]["folders"] == ["models/digits"]
    assert (traced["version"]["number"], traced["version"]["aliases"]) == (1, ["champion"])
    assert (traced["run"]["id"], traced["run"]["status"]) == (manifest["run_id"], "FINISHED")
    trained_from, built = call(checkout, "git", "log", "-2", "--format=%H").stdout.split()[::-1]
    assert traced["commit"]["id"] == trained_from
    assert traced["commit"]["committed_in"] == [built]
    assert traced["commit"]["dirty"] is False
    splits = [f"data/splits/{name}.npz" for name in ("train", "validation")]
    assert traced["data"] == {path: hashing.file_sha256(checkout / path) for path in splits}
    assert traced["params"]["model.mlp.hidden"] == "[32]"
    assert json.loads(lineage("1", "--json")) == traced

    lines = lineage("1").splitlines()
    words = [line.split()[0] for line in lines[:5]]
    assert words == ["model", "version", "run", "trained", "committed"]
    assert "models/digits" in lines[0]
    assert "digits 1  champion" in lines[1]
    assert any(line.startswith("parameter     train.epochs 1") for line in lines)


def test_a_version_that_is_in_no_folder_here_has_its_commit(checkout, lineage):
    """The commit that brought it is told from the registry alone, and whether a pull brings it."""
    client, removed = version_lookup.find_version("1").store.client, ("digits", "1", REMOVED_TAG)
    before = trace_lineage("1")["commit"]["committed_in"]
    (checkout / "models/digits").rename(checkout / "models/elsewhere")
    try:
        traced, shown = trace_lineage("1"), lineage("1")
        client.set_model_version_tag(*removed, "on Friday by anna")
        pruned = lineage("1")
        client.delete_model_version_tag(*removed)
    finally:
        (checkout / "models/elsewhere").rename(checkout / "models/digits")

    assert traced["model"]["folders"] == []
    assert "in no folder here; `digits pull` gets it" in shown
    assert "in no folder here; its files were removed: on Friday by anna" in pruned
    assert traced["commit"]["committed_in"] == before != []


def test_uncommitted_changes_and_a_study_are_told(checkout, lineage):
    """A model built from an edited checkout, in a trial: that, and where the changes are."""
    source = checkout / "digits/training/recipe_report.py"
    text = source.read_text()
    try:
        source.write_text(text.replace("import ", "import  ", 1) + "# one more line\n")
        version = sealed.publish(checkout / "model-2", 2)
    finally:
        source.write_text(text)
    run = run_lookup.find_run(version.run_id)
    run.store.client.set_tag(run.run_id, "tune.study", "widths")
    run.store.client.set_tag(run.run_id, "tune.trial", "7")

    traced, shown = trace_lineage("2"), lineage("2")

    assert traced["commit"]["dirty"] is True
    assert traced["tuning"] == {"study": "widths", "trial": "7"}
    assert "changes that no commit has: source.diff of the run" in shown
    assert "tuning        study widths\ntuning        trial 7\n" in shown


def test_a_run_without_a_version_is_told_of(checkout, lineage):
    """A run that registered nothing still has its commit and parameters."""
    here = run_lookup.find_run(trace_lineage("1")["run"]["id"]).store
    run = here.client.create_run(here.experiment, tags={"git.commit": "abc"})

    traced = trace_lineage(run.info.run_id)

    assert traced["version"] == {}
    assert traced["model"]["folders"] == []
    assert traced["commit"]["id"] == "abc"
    assert "not registered" in lineage(run.info.run_id)
    with pytest.raises(UserError, match="'digits' has no version"):
        model_reference.resolve(run.info.run_id)
