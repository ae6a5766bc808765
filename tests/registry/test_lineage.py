"""From a file, a run, a version or a commit to the other three, and back."""

import json
import shutil

import pytest

from digits.cli.main import app
from digits.inference import model_manifest
from digits.project import hashing
from digits.registry import version_lookup
from digits.registry.lineage import trace_lineage
from digits.registry.model_version import REMOVED_TAG
from digits.tracking import run_lookup
from tests import remotes, sealed
from tests.cli.test_main import refusal
from tests.conftest import call


@pytest.fixture(scope="module")
def made(built, tmp_path_factory):
    """A built checkout whose results are committed and pushed."""
    folder = shutil.copytree(built, tmp_path_factory.mktemp("lineage") / "digits")
    remotes.configure(folder, remotes.Folder(folder.parent / "remote"))
    call(folder, "git", "tag", "v1.0")
    return folder


@pytest.fixture
def checkout(made, monkeypatch):
    """It, as the working directory."""
    monkeypatch.chdir(made)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return made


@pytest.fixture
def lineage(checkout, capsys):
    """A function: arguments -> what `digits lineage` prints of them."""

    def printed(*arguments):
        app(["lineage", *arguments], standalone_mode=False)
        return capsys.readouterr().out

    return printed


def test_every_name_of_a_model_leads_to_the_others(checkout, lineage):
    """Folder, either file, run, alias, number, tag and HEAD say the same."""
    manifest = model_manifest.check_files(checkout / "models/digits")
    found = trace_lineage("champion")

    assert found["model"]["content_sha256"] == manifest["content_sha256"]
    assert found["model"]["folders"] == ["models/digits"]
    assert (found["version"]["number"], found["version"]["aliases"]) == (1, ["champion"])
    assert found["run"]["id"] == manifest["run_id"]
    assert found["run"]["status"] == "FINISHED"
    trained_from, built = call(checkout, "git", "log", "-2", "--format=%H").stdout.split()[::-1]
    assert found["commit"]["id"] == trained_from
    assert found["commit"]["committed_in"] == [built]
    assert found["commit"]["dirty"] is False
    splits = [f"data/splits/{name}.npz" for name in ("train", "validation")]
    assert found["data"] == {path: hashing.file_sha256(checkout / path) for path in splits}
    assert found["params"]["model.mlp.hidden"] == "[32]"
    files_ = ("models/digits", "models/digits/model.onnx", "models/digits/weights.pt")
    for name in (*files_, manifest["run_id"], "1", "v1.0", "HEAD"):
        assert trace_lineage(name) == found, name
    assert json.loads(lineage("1", "--json")) == found


def test_a_version_that_is_in_no_folder_here_has_its_commit(checkout, lineage):
    """The commit that brought it is told from the registry alone, and whether a pull brings it."""
    client, removed = version_lookup.find_version("1").store.client, ("digits", "1", REMOVED_TAG)
    before = trace_lineage("1")["commit"]["committed_in"]
    (checkout / "models/digits").rename(checkout / "models/elsewhere")
    try:
        found, shown = trace_lineage("1"), lineage("1")
        client.set_model_version_tag(*removed, "on Friday by anna")
        pruned = lineage("1")
        client.delete_model_version_tag(*removed)
    finally:
        (checkout / "models/elsewhere").rename(checkout / "models/digits")

    assert found["model"]["folders"] == []
    assert "in no folder here; `digits pull` gets it" in shown
    assert "in no folder here; its files were removed: on Friday by anna" in pruned
    assert found["commit"]["committed_in"] == before != []


def test_people_see_it_in_lines(lineage):
    """One fact a line, the names first."""
    lines = lineage("1").splitlines()

    heads = ["model", "version", "run", "trained", "committed"]
    assert [line.split()[0] for line in lines[:5]] == heads
    assert "models/digits" in lines[0]
    assert "digits 1  champion" in lines[1]
    assert any(line.startswith("parameter     train.epochs 1") for line in lines)


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

    found = trace_lineage("2")
    shown = lineage("2")

    assert found["commit"]["dirty"] is True
    assert found["tuning"] == {"study": "widths", "trial": "7"}
    assert "changes that no commit has: source.diff of the run" in shown
    assert "tuning        study widths\ntuning        trial 7\n" in shown


def test_a_run_without_a_version_is_told_of(checkout, lineage):
    """A run that registered nothing still has its commit and parameters."""
    here = run_lookup.find_run(trace_lineage("1")["run"]["id"]).store
    run = here.client.create_run(here.experiment, tags={"git.commit": "abc"})

    found = trace_lineage(run.info.run_id)

    assert found["version"] == {}
    assert found["model"]["folders"] == []
    assert found["commit"]["id"] == "abc"
    assert "not registered" in lineage(run.info.run_id)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("champoin", "choose one of champion"),
        ("v1.O", "git has no revision 'v1.O'"),
        ("dvc.yaml", "is no file of a model"),
        ("e" * 32, "no version"),
    ],
)
def test_what_is_no_model_is_told_in_one_line(checkout, capsys, name, words):
    """Status 2, and what is near."""
    assert words in refusal(capsys, "lineage", name)


def test_a_changed_model_has_no_lineage(checkout, tmp_path, capsys):
    """Nobody claims to know where altered bytes come from."""
    folder = shutil.copytree(checkout / "models/digits", tmp_path / "model")
    (folder / "weights.pt").write_bytes(b"changed")

    assert "has 7 bytes" in refusal(capsys, "lineage", folder)
