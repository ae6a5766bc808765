"""A version is built again from its commit, in a clean clone, and compared byte by byte."""

import json
import shutil
import subprocess
from dataclasses import replace

import pytest
from mlflow.artifacts import load_text

from digits.registry import rebuild_check, version_lookup
from digits.tracking import run_lookup
from tests import processes
from tests.cli.test_main import refusal, run
from tests.conftest import call


@pytest.fixture
def version(checkout):
    """Version 1 of the built checkout."""
    return version_lookup.find_version("1")


def test_a_version_comes_out_again(version, checkout):
    """Equal bytes, and nothing in the checkout or its store has changed; others are told."""
    before = call(checkout, "git", "status", "--porcelain").stdout
    runs = len(version.store.client.search_runs([version.store.experiment]))

    done = processes.run("digits", "verify", "--rebuild", "champion")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"version 1, rebuilt from {version.commit[:10]}: equal bytes\n")
    assert "note: " not in done.stdout
    assert call(checkout, "git", "status", "--porcelain").stdout == before
    assert len(version.store.client.search_runs([version.store.experiment])) == runs
    assert not rebuild_check.is_same_model(replace(version, content_sha256="0" * 64), checkout)


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
    assert (new_run.data.tags["git.commit"], new_run.data.tags["git.dirty"]) == (
        version.commit,
        "true",
    )
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


def test_changes_that_were_committed_with_their_results_are_rebuilt(version, checkout):
    """Trained before the commit: the first commit that has the model has its sources."""
    dirty = replace(version, tags={**version.tags, "git.dirty": "true"})
    built = call(checkout, "git", "rev-parse", "HEAD").stdout.strip()

    assert built != version.commit
    assert rebuild_check.commit_with_model(version) is None
    assert rebuild_check.commit_with_model(dirty) == built
    assert list(rebuild_check.possible_differences(dirty, built)) == []
    nowhere = replace(dirty, tags={**dirty.tags, "dvc.md5": f"{'0' * 32}.dir"})
    assert rebuild_check.commit_with_model(nowhere) is None


def test_what_can_make_a_difference_is_said(version):
    """Uncommitted changes, another processor, other packages."""
    run = run_lookup.find_run(version.run_id)
    assert list(rebuild_check.possible_differences(version, version.commit)) == []

    run.store.client.set_tag(run.run_id, "env.cpu", "Abacus")
    dirty = replace(version, tags={**version.tags, "git.dirty": "true"})
    notes = list(rebuild_check.possible_differences(dirty, version.commit))

    assert "uncommitted changes" in notes[0]
    assert notes[1].startswith("cpu was Abacus, here it is ")


@pytest.mark.parametrize(
    ("commit", "words"),
    [("no commit", "built outside of git"), ("0" * 40, "git has no revision")],
)
def test_a_version_without_its_commit_cannot_be_rebuilt(version, capsys, commit, words):
    """One line, status 2."""
    before = version.commit
    client = version.store.client
    client.set_model_version_tag(version.name, "1", "git.commit", commit)
    try:
        assert words in refusal(capsys, "verify", "--rebuild", "1")
    finally:
        client.set_model_version_tag(version.name, "1", "git.commit", before)
