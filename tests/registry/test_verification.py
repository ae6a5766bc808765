"""`digits verify` finds what was changed, wherever it was, and says what would be lost."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from digits.project import dvc_storage
from digits.registry import alias_moves, verification
from digits.registry.model_version import REMOVED_TAG
from digits.registry.pruning import prune_versions
from digits.registry.verification import CheckState, verify_all
from tests import processes, remotes
from tests.conftest import call
from tests.registry.conftest import embedded_client, register


@pytest.fixture
def checkout(built, tmp_path, monkeypatch):
    """A built checkout and its remote, a folder to which nothing was pushed yet."""
    folder = shutil.copytree(built, tmp_path / "digits")
    remotes.configure(folder, remotes.Folder(tmp_path / "remote"))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


def states():
    """What `digits verify` finds: states and details by what was looked at."""
    return {f.what: (f.state, f.details) for f in verify_all()}


def damage(path):
    """Change the last byte of a file."""
    path.chmod(0o644)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def stored(root, oid):
    """Where DVC keeps an object."""
    return root / "files/md5" / oid[:2] / oid[2:]


def test_what_is_to_be_done_is_told_until_it_is_done(checkout):
    """0 before the first push, 1 while some is not pushed or an alias was moved by other means."""
    done = processes.run("digits", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search("^back-up +none yet +no remote holds", done.stdout, re.M)
    assert "`dvc push` fills the one in .dvc/config" in done.stdout
    call(checkout, "dvc", "push", "data/splits/test.npz")

    done = processes.run("digits", "verify")
    assert (done.returncode, done.stderr) == (1, "")
    for words in ("version 1 champion", " 0 broken, ", "`dvc push --all-commits` sends"):
        assert words in done.stdout
    call(checkout, "dvc", "push")

    locks = Path(".dvc/tmp/rwlock")
    before = locks.read_bytes()
    writers = {str(checkout / "models/digits"): {"pid": os.getpid(), "cmd": "dvc repro"}}
    locks.write_text(json.dumps({"write": writers, "read": {}}))
    done = processes.run("digits", "verify")
    assert f"process {os.getpid()} trains a new one now" in done.stdout
    locks.write_bytes(before)

    done = processes.run("digits", "verify")
    assert done.returncode == 0, done.stdout
    assert " 0 broken, 0 not pushed, " in done.stdout

    embedded_client().delete_registered_model_alias("digits", "champion")
    done = processes.run("digits", "verify")
    assert done.returncode == 1, done.stdout
    assert "wrong: champion is no version in the registry and version 1 in the" in done.stdout
    assert "`digits history --accept REASON` lets work go on" in done.stdout
    alias_moves.accept_differences("by the UI")
    assert processes.run("digits", "verify").returncode == 0


def test_every_kind_of_damage_is_named(checkout, tmp_path):
    """In the cache, the remote, the registry and the folder of the model; what is intact is ok."""
    call(checkout, "dvc", "push")
    with dvc_storage.open_storage() as storage:
        oids = storage.outputs()
    damage(stored(checkout / ".dvc/cache", oids["data/splits/test.npz"]))
    damage(stored(tmp_path / "remote", oids["metrics/predictions.csv"]))
    stored(tmp_path / "remote", oids["data/splits/train.npz"]).unlink()
    (graph,) = checkout.glob("mlartifacts/**/model.onnx")
    damage(graph)
    damage(checkout / "models/digits/weights.pt")

    results = states()

    broken = {what for what, (state, _) in results.items() if state is CheckState.BROKEN}
    files = {"data/splits/test.npz", "metrics/predictions.csv"}
    assert broken == {"version 1 champion", *files, "models/digits in this checkout"}
    assert "in DVC's cache was changed" in results["data/splits/test.npz"][1]
    assert "in remote 'there' was changed" in results["metrics/predictions.csv"][1]
    assert results["data/splits/train.npz"] == (CheckState.NOT_PUSHED, "is in no remote")
    assert results["data/raw"] == (CheckState.OK, "")
    assert processes.run("digits", "verify").returncode == 2


def test_a_pruned_version_is_no_damage_and_a_loader_is(checkout):
    """The alias log says who removed its files; a mark without an entry there is damage.

    So is an MLflow description of a model that would import somebody's module.
    """
    (folder := checkout / "second").mkdir()
    shutil.copy(checkout / "models/digits/model.onnx", folder)
    register("digits", folder, content_hash="1" * 64)
    prune_versions(0, yes=True)
    (wrapper,) = Path("mlartifacts").glob("**/MLmodel")
    text = wrapper.read_text()
    wrapper.write_text(text.replace("loader_module: mlflow.onnx", "loader_module: os"))

    results = states()
    state, message = results["version 2"]
    assert state is CheckState.OK
    assert message.startswith("has no files: ")
    assert message.endswith(", digits prune --keep 0")
    state, message = results["version 1 champion"]
    assert state is CheckState.BROKEN
    assert "MLmodel loads more than an ONNX file" in message
    embedded_client().set_model_version_tag("digits", "1", REMOVED_TAG, "on Friday by anna")
    state, message = states()["version 1 champion"]
    assert state is CheckState.BROKEN
    assert message.startswith("its tag says that it has no files (on Friday by anna); ")


def test_changed_scores_and_deleted_versions_are_named(checkout):
    """An accuracy in a tag that its run does not have; a version that only the log names."""
    client = embedded_client()
    client.set_model_version_tag("digits", "1", "test_accuracy", "0.9999")
    state, message = states()["version 1 champion"]
    assert state is CheckState.BROKEN
    assert message.startswith("its tag test_accuracy is '0.9999', its run has 0.")

    client.delete_model_version("digits", "1")
    state, message = states()["version 1"]
    assert state is CheckState.BROKEN
    assert "the registry does not have it" in message


def test_what_is_not_here_is_no_damage(checkout, tmp_path, monkeypatch):
    """A remote is away: whether something is pushed is unknown. Nobody pushed: a clone is empty."""
    text = "[core]\nremote = there\n['remote \"there\"']\nurl = ssh://nobody@127.0.0.1:1/x\n"
    (checkout / ".dvc/config.local").write_text(text)
    state, details = states()["version 1 champion"]
    assert state is CheckState.NOT_PUSHED
    assert "remote 'there' cannot be read" in details
    shown = verification.format_results(verify_all())
    assert re.search("^version 1 champion +unknown ", shown, re.M)
    assert "could not be asked" in shown
    assert "`dvc push" not in shown

    folder = tmp_path / "fresh"
    call(tmp_path, "git", "clone", "-q", checkout, folder)
    monkeypatch.chdir(folder)
    assert {state for state, _ in states().values()} == {CheckState.NOT_PUSHED}
    assert not Path("models/digits").exists()
