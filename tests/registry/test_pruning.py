"""Old versions lose their files; whatever somebody may still need stays whole."""

import json
import os
import pty
from contextlib import nullcontext

import numpy as np
import onnx
import pytest

from digits.project.errors import UserError
from digits.registry import alias_moves, registration
from digits.registry.model_version import DVC_TAG, REMOVED_TAG
from digits.registry.pruning import prune_versions
from digits.tracking import tracking_store
from tests.conftest import call, commit, standing
from tests.registry.conftest import embedded_client, list_versions, move, register
from tests.stores import linear

KEPT = r"1 version\(s\) would lose .* nothing was removed, --yes"


@pytest.fixture
def many(workspace, tmp_path):
    """A function: n -> n versions of `digits`, each with a tiny model of its own."""

    def publish(n):
        for number in range(1, n + 1):
            folder = tmp_path / f"model-{number}"
            folder.mkdir()
            onnx.save(linear(np.float32(number)), folder / "model.onnx")
            register("digits", folder, content_hash=f"content {number}")

    return publish


def with_files():
    """The versions that have files."""
    return {v.number for v in list_versions() if REMOVED_TAG not in v.tags}


def test_old_versions_lose_their_files_and_keep_their_entries(many, capsys):
    """The table shows which; the alias log names them; a second time there is nothing to do."""
    many(5)
    plan = json.loads(prune_versions(2, yes=False, as_json=True))
    assert [(v["version"], v["files"]) for v in plan["versions"]] == [
        (number, "remove") for number in (3, 2, 1)
    ]
    assert (plan["removed"], with_files()) == (0, {1, 2, 3, 4, 5})
    result = prune_versions(2, yes=True)
    shown = capsys.readouterr().out.splitlines()

    assert result == "removed the files of 3 version(s); their entries stay"
    assert [line.split()[0] for line in shown[1:]] == ["3", "2", "1"]
    assert all(line.endswith("  remove") for line in shown[1:])
    assert with_files() == {4, 5}
    assert [v.number for v in list_versions()] == [5, 4, 3, 2, 1]
    (entry,) = standing().log.entries
    assert (entry.action, entry.why) == ("prune", "digits prune --keep 2")
    assert entry.removes == (3, 2, 1)
    assert prune_versions(2, yes=True).startswith("nothing to remove: digits has 5 version(s)")
    assert json.loads(prune_versions(1, yes=True, as_json=True))["removed"] == 1
    assert with_files() == {5}


def test_what_somebody_may_need_stays(many, capsys):
    """Champions present and past, any alias, other names' versions."""
    many(8)
    client = embedded_client()
    for to in (1, 2, 3):
        move(to)
    client.set_registered_model_alias("digits", "mine", "4")
    client.set_registered_model_alias("digits", "ours", "5")
    source = client.get_model_version("digits", "6").source
    client.create_registered_model("other")
    with registration._as_default_store(tracking_store.embedded_store()):
        client.create_model_version("other", source)
    result = prune_versions(0, yes=True)
    shown = capsys.readouterr().out

    assert result.startswith("removed the files of 2")
    assert with_files() == {1, 2, 3, 4, 5, 6}
    reasons = {1: "it was champion", 3: "it is champion", 4: "it is mine"}
    for number, reason in {**reasons, 6: "another version has the same files"}.items():
        (line,) = [x for x in shown.splitlines() if x.startswith(f"{number} ")]
        assert line.endswith(f"keep: {reason}")


def test_a_former_champion_stays_though_the_registry_lost_its_entry(many):
    """The file tells, after a person accepted that the entry is gone."""
    many(2)
    first, _ = move(1), move(2)
    embedded_client().delete_registered_model_tag("digits", first.id)
    with pytest.raises(UserError, match="not in the registry; nothing was changed"):
        prune_versions(0, yes=True)
    alias_moves.accept_differences("lost")
    prune_versions(0, yes=True)

    assert with_files() == {1, 2}


def test_what_a_git_tag_names_stays(many, workspace, capsys):
    """The model in the dvc.lock of either kind of tag; not one of a commit without a tag."""
    many(3)
    (workspace / ".gitignore").write_text("data\nmodel-*\nmlflow.db\nmlartifacts\n.state\n")
    call(workspace, "git", "init", "-q", "-b", "main")
    person = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    annotated = ["digits@v1.0.0", "-m", "as gto makes them"]
    for version, tag in zip(reversed(list_versions()), (["first"], annotated, None), strict=True):
        (workspace / "dvc.lock").write_text(version.tags[DVC_TAG])
        commit(workspace, "x")
        if tag:
            call(workspace, "git", *person, "tag", *tag)
    prune_versions(0, yes=True)
    shown = capsys.readouterr().out

    assert with_files() == {1, 2}
    for name in ("first", "digits@v1.0.0"):
        assert f"keep: git tag {name} names it" in shown


def test_a_repository_that_git_cannot_read_removes_nothing(many, workspace):
    """Nobody knows then what the tags name."""
    many(2)
    (workspace / ".git").mkdir()
    with pytest.raises(UserError, match=r"git does not answer .*; nothing was changed"):
        prune_versions(0, yes=True)

    assert with_files() == {1, 2}


def test_it_asks_and_anything_but_yes_removes_nothing(many, monkeypatch, capsys):
    """Without --yes it shows the list; without a terminal that is all."""
    many(2)
    controller, terminal = pty.openpty()
    with os.fdopen(controller, "w") as person, os.fdopen(terminal) as stdin:
        for answer in (None, "\x04", "y\n"):
            assert (with_files(), standing().log.entries) == ({1, 2}, ())
            if answer:
                monkeypatch.setattr("sys.stdin", stdin)
                print(answer, end="", file=person, flush=True)
            with nullcontext() if answer == "y\n" else pytest.raises(UserError, match=KEPT):
                prune_versions(1, yes=False)
            shown = capsys.readouterr().out
            assert " remove\n" in shown
            assert ("remove the files of 1 version(s) for good" in shown) == bool(answer)
    assert with_files() == {2}
