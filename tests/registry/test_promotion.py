"""A decision or a person makes a version champion; it is recorded, or nothing changes."""

import shutil

import pytest

from digits.project.errors import UserError
from digits.registry import alias_history, alias_moves, registration
from digits.registry.alias_log import LOG_FILE
from digits.registry.model_version import REMOVED_TAG
from digits.registry.promotion import apply_decision, promote_manually, rollback
from tests import processes, sealed
from tests.conftest import standing
from tests.registry.conftest import embedded_client, list_versions, move
from tests.stores import better

# Kills itself before its write number N.
KILLED = """
import os, sys
from mlflow import MlflowClient
from digits.project import atomic_files
from digits.registry import promotion
left = int(sys.argv[1])
def deadly(owner, name):
    write = getattr(owner, name)
    def counted(*arguments):
        global left
        if left == 0:
            os.kill(os.getpid(), 9)
        left -= 1
        return write(*arguments)
    setattr(owner, name, counted)
for name in ("set_registered_model_tag", "set_registered_model_alias"):
    deadly(MlflowClient, name)
deadly(MlflowClient, "delete_registered_model_alias")
deadly(atomic_files, "write_bytes")
getattr(promotion, sys.argv[2])(*sys.argv[3:])
"""


@pytest.fixture
def three(workspace, once):
    """Versions 1, 2 and 3, of which 1 is champion and 3 challenger."""

    def fill(folder):
        for seed in (1, 2, 3):
            sealed.publish(workspace / f"model-{seed}", seed)
        for alias, number in (("champion", 1), ("challenger", 2), ("challenger", 3)):
            move(number, "register", "of a test", alias)
        shutil.copytree(workspace, folder)

    shutil.copytree(once("three", fill), workspace, dirs_exist_ok=True)
    _ = embedded_client()  # mends the paths of the copy


def champions():
    """The version of each entry that made one champion."""
    return [e.moves["champion"][1] for e in standing().log.changes("champion")]


def test_a_challenger_is_promoted_by_hand(three):
    """By its alias or number, with the reason in the record; it is no challenger any more."""
    result = promote_manually("challenger", "  the field\nwants it \udce9")

    table, done = result.rpartition("\n")[::2]
    assert done == "digits version 3 is champion, version 1 was; entry 4"
    assert [line.split()[1] for line in table.splitlines()[1:]] == ["3", "1"]
    entry = standing().log.entries[-1]
    assert (entry.action, entry.why, "@" in entry.who) == ("promote", "the field wants it ?", True)
    assert entry.moves == {"champion": (1, 3), "challenger": (3, None)}
    assert standing().aliases == {"champion": 3}


def test_rollbacks_go_further_back(three):
    """Twice leads to the champion before the one before; then there is nowhere to go."""
    for number in ("2", "3"):
        promote_manually(number, "try")
    for _ in range(2):
        rollback("bad sevens")

    assert champions() == [1, 2, 3, 2, 1]
    with pytest.raises(UserError, match="no version was champion before version 1; nothing was"):
        rollback("bad")
    assert champions() == [1, 2, 3, 2, 1]


def test_what_cannot_be_promoted_changes_nothing(three):
    """One line says why; aliases and record are as before."""
    before = standing()
    for reference, reason, words in (
        ("champion", "x", "digits version 1 is champion already; nothing was changed"),
        ("7", "x", "'digits' has no version '7'"),
        ("2", " \n ", "the reason is empty; say why with --reason"),
        ("2", "x" * 6000, "characters too long; give a shorter one"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            promote_manually(reference, reason)

        assert "\n" not in str(caught.value)
        assert standing() == before


def test_a_version_that_does_not_verify_is_refused(three, workspace):
    """Its files were changed in the registry, or are gone: neither promoted nor rolled back to."""
    client = embedded_client()
    promote_manually("2", "try")
    before = standing()
    for number in ("1", "3"):
        place = client.get_model_version_download_uri("digits", number)
        with (workspace / place / "weights.pt").open("ab") as file:
            file.write(b"!")
    with pytest.raises(UserError, match="version 3 in this checkout's own store was changed"):
        promote_manually("3", "x")
    with pytest.raises(UserError, match="version 1 in this checkout's own store was changed"):
        rollback("x")
    client.set_model_version_tag("digits", "3", REMOVED_TAG, "on Friday by anna")
    with pytest.raises(UserError, match="version 3 has no files: on Friday by anna"):
        promote_manually("3", "x")

    assert standing() == before


def test_a_champion_set_by_other_means_can_be_recorded(three):
    """Promoting it again says why; a rollback leads back to what the record knows."""
    embedded_client().set_registered_model_alias("digits", "champion", "2")
    result = promote_manually("2", "it was meant so")

    assert result.splitlines()[-1].startswith("digits version 2 is champion")
    found, entry = standing().log.entries[-2:]
    assert (found.action, found.moves) == ("found", {"champion": (1, 2)})
    assert (entry.action, entry.why, entry.moves) == ("promote", "it was meant so", {})
    assert standing().disagreements == []
    rollback("it was not")
    assert champions() == [1, 2, 1]


def test_a_champion_that_was_deleted_can_be_rolled_back_from(three):
    """The record knows it, and leads to the champion before."""
    promote_manually("2", "try")
    embedded_client().delete_registered_model_alias("digits", "champion")
    embedded_client().delete_model_version("digits", "2")
    rollback("somebody deleted it")
    assert standing().aliases["champion"] == 1


def test_old_files_under_a_new_number_are_not_promoted(three, client):
    """`pull`, `serve` and the promotion rules would refuse them."""
    (old,) = (v for v in list_versions() if v.number == 1)
    source = client.get_model_version("digits", "1").source
    tags = {"content_sha256": old.content_sha256}
    client.create_model_version("digits", source, old.run_id, tags)
    before = standing()
    with pytest.raises(UserError, match=r"version 4 .*its files are those of version 1"):
        promote_manually("4", "it looks new")
    assert standing() == before


def test_a_registry_that_does_not_answer_is_not_replaced_by_another(three, monkeypatch):
    """Nothing is promoted in this checkout's own store instead."""
    before = standing()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    for action in (lambda: promote_manually("2", "x"), lambda: rollback("x")):
        with pytest.raises(UserError, match="does not answer"):
            action()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")

    assert standing() == before


def killed(write, *call):
    """Do `call` in a process that is killed before a write; its exit status."""
    return processes.run(KILLED, write, *call).returncode


@pytest.mark.parametrize("write", range(4))
def test_killed_at_any_write_the_same_command_finishes_it(three, workspace, write):
    """Entry, champion, challenger, file: one entry, both aliases and its line in the end."""
    count = len(standing().log.entries)

    assert killed(write, "promote_manually", "3", "better") == -9
    assert "champion" in promote_manually("3", "better")

    now = standing()
    assert now.aliases == {"champion": 3}
    assert len(now.log.entries) == count + 1
    assert len((workspace / LOG_FILE).read_text().splitlines()) == count + 1
    assert alias_history.check_log(now) == ([], 0)


def test_a_rollback_that_was_killed_is_finished_by_the_same_command(three):
    """With its entry written and the alias not yet moved."""
    promote_manually("2", "try")
    assert killed(1, "rollback", "bad sevens") == -9
    assert "champion" in rollback("bad sevens")

    assert champions() == [1, 2, 1]
    assert alias_history.check_log(standing()) == ([], 0)


def test_killed_before_its_line_a_challenger_is_promoted_all_the_same(three):
    """The alias is gone by then, and the file is completed by the next that looks."""
    assert killed(3, "promote_manually", "challenger", "better") == -9
    with pytest.raises(UserError, match="no version 'challenger'"):
        promote_manually("challenger", "better")

    assert alias_history.check_log(standing())[1] == 0
    assert (standing().aliases, standing().log.unwritten) == ({"champion": 3}, ())


def interrupt(*_):
    """Ctrl+C."""
    raise KeyboardInterrupt


def test_a_registration_that_was_killed_is_finished_by_the_next(enter, monkeypatch):
    """The first version: its entry is there, its alias is not; nobody removed that."""
    with monkeypatch.context() as broken:
        broken.setattr(alias_moves, "_apply_log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            enter("good")
    assert (standing().aliases, standing().log.version_of("champion")) == ({}, 1)

    assert enter("good")["alias"] == "champion"
    assert len(standing().log.entries) == 1
    assert list_versions()[0].aliases == ("champion",)


def test_the_better_one_is_champion_and_decided_again_when_that_changed(project, trained):
    """Somebody promotes version 2 while version 3 is measured against version 1."""
    first, _, candidate = (trained(accuracy) for accuracy in (0.9, 0.95, 0.93))
    assert apply_decision(first, better).alias == "champion"
    compared = []

    def slow(mine, champion, state):
        compared.append(champion.number)
        if len(compared) == 1:
            alias_moves.change_aliases(state, {"champion": 2}, action="promote", why="x")
        return better(mine, champion, state)

    assert apply_decision(candidate, slow).alias == "challenger"
    assert compared == [1, 2]
    newest, best, oldest = list_versions("m")
    assert [v.number for v in (newest, best, oldest)] == [3, 2, 1]
    assert (newest.aliases, best.aliases, oldest.aliases) == (("challenger",), ("champion",), ())
    assert registration.find_champion(best.store, "m") == best
    assert (oldest.tags["gate"], newest.tags["gate"]) == ("passed", "failed")
