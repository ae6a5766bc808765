"""A run is repeated from its commit, uncommitted changes and parameters."""

import json
import shutil
import subprocess

import pytest
from mlflow.artifacts import load_text

from digits.registry import version_lookup
from digits.tracking import run_context
from tests import processes
from tests.cli.test_main import refusal, run
from tests.conftest import call


@pytest.fixture(scope="module")
def copied(built, tmp_path_factory):
    """A copy of the built checkout."""
    return shutil.copytree(built, tmp_path_factory.mktemp("rerun") / "digits")


@pytest.fixture
def checkout(copied, monkeypatch):
    """It, as the working directory."""
    monkeypatch.chdir(copied)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return copied


@pytest.fixture
def version(checkout):
    """Version 1 of the built checkout."""
    return version_lookup.find_version("1")


@pytest.fixture
def quick(checkout, monkeypatch):
    """Instead of `dvc repro`, the two last stages run on the checkout's split files."""
    real = subprocess.run

    def run(command, **options):
        if "repro" not in command:
            return real(command, **options)
        splits = options["cwd"] / "data/splits"
        shutil.copytree(checkout / "data/splits", splits, dirs_exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(options["cwd"])
            patch.setenv("MLFLOW_TRACKING_URI", options["env"]["MLFLOW_TRACKING_URI"])
            done = [processes.run(stage) for stage in ("train", "evaluate")]
        assert [d.returncode for d in done] == [0, 0], done
        return done[0]

    monkeypatch.setattr(subprocess, "run", run)


def test_a_run_is_repeated_with_its_changes_and_parameters(version, checkout, quick, capsys):
    """The new run has the recorded values and changes, equal scores, and a tag; files stay."""
    client, first, file = version.store.client, version.run_id, checkout / "params.yaml"
    before = file.read_text()
    file.write_text(before.replace("epochs: 1", "epochs: 2") + "# changed\n")
    client.set_tag(first, "git.dirty", "true")
    client.log_text(first, call(checkout, "git", "diff").stdout, "source.diff")
    file.write_text(before)

    assert run("rerun", first, "--json") == 0
    repeated, new = json.loads(capsys.readouterr().out)
    (old_run, new_run) = (client.get_run(record["run_id"]) for record in (repeated, new))
    assert (repeated["run_id"], new_run.data.tags["digits.rerun_of"]) == (first, first)
    assert {**repeated, "run_id": new["run_id"]} == new
    assert new_run.data.params == old_run.data.params
    assert new_run.data.params["train.epochs"] == "1"
    tags = run_context.unfold_tags(new_run.data.tags)
    assert (tags["git.commit"], tags["git.dirty"]) == (version.commit, "true")
    assert "+# changed" in load_text(f"{new_run.info.artifact_uri}/source.diff")
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"git.commit": "0" * 40}, "which is not in this clone; `git fetch --all`"),
        ({"git.commit": "no commit"}, "names no git commit to repeat it from"),
        ({"git.dirty": "true"}, "it has no source.diff; commit them, then train again"),
    ],
)
def test_a_run_whose_sources_are_not_here_is_not_repeated(version, capsys, tags, words):
    """One line, status 2; nothing is trained."""
    client = version.store.client
    run = client.create_run(version.store.experiment, tags={"git.commit": version.commit} | tags)

    assert words in refusal(capsys, "rerun", run.info.run_id)
    assert "no run has the id 'x'" in refusal(capsys, "rerun", "x")
