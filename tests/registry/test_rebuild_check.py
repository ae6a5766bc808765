"""A version is built again from its commit, in a clean clone, and compared byte by byte."""

from dataclasses import replace

import pytest

from digits.registry import rebuild_check, version_lookup
from digits.tracking import run_lookup
from tests import processes
from tests.cli.test_main import refusal
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


def test_changes_that_were_committed_with_their_results_are_rebuilt(version, checkout):
    """Trained before the commit: the first commit that has the model has its sources."""
    dirty = replace(version, tags={**version.tags, "git.dirty": "true"})
    built = call(checkout, "git", "rev-parse", "HEAD").stdout.strip()

    assert built != version.commit
    assert rebuild_check.commit_to_build(version) == version.commit
    assert rebuild_check.commit_to_build(dirty) == built
    assert list(rebuild_check.possible_differences(dirty, built)) == []
    nowhere = replace(dirty, tags={**dirty.tags, "dvc.md5": f"{'0' * 32}.dir"})
    assert rebuild_check.commit_to_build(nowhere) == version.commit


def test_a_commit_that_was_squashed_is_replaced_by_the_one_with_the_model(version, checkout):
    """With a note; the results that were committed with the model name it."""
    gone = replace(version, tags={**version.tags, "git.commit": "0" * 40})
    built = call(checkout, "git", "rev-parse", "HEAD").stdout.strip()
    assert rebuild_check.commit_to_build(gone) == built
    (note,) = rebuild_check.possible_differences(gone, built)
    assert note == f"its commit 0000000000 is gone from git; {built[:10]} has its model"


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
    """Nor without one that has its model: one line, status 2."""
    before, oid = version.commit, version.tags["dvc.md5"]
    client = version.store.client
    client.set_model_version_tag(version.name, "1", "git.commit", commit)
    client.set_model_version_tag(version.name, "1", "dvc.md5", f"{'0' * 32}.dir")
    try:
        assert words in refusal(capsys, "verify", "--rebuild", "1")
    finally:
        client.set_model_version_tag(version.name, "1", "git.commit", before)
        client.set_model_version_tag(version.name, "1", "dvc.md5", oid)
