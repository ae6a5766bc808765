"""A person makes a version champion, or takes one back; both are recorded, or nothing changes."""

import pytest

from stages.lib.errors import UserError
from stages.lib.tracking import aliases, store
from stages.lib.tracking.removal import REMOVED
from stages.promote import promote, rollback


def standing():
    """Aliases and record of the workspace's store."""
    return aliases.standing(store.embedded(), "digits")


@pytest.fixture
def three(enter):
    """Versions 1, 2 and 3, of which 1 is champion and 3 challenger."""
    for variant in ("good", "poor", "same"):
        enter(variant)


def champions():
    """The version of each entry that made one champion."""
    return [e.moves["champion"][1] for e in standing().record.changes("champion")]


def test_a_challenger_is_promoted_by_hand(three):
    """By its alias or number, with the reason in the record; it is no challenger any more."""
    told = promote("challenger", "  the field\nwants it ")

    assert told == "digits version 3 is champion, version 1 was; entry 4"
    entry = standing().record.entries[-1]
    assert (entry.action, entry.why) == ("promote", "the field wants it")
    assert entry.moves == {"champion": (1, 3), "challenger": (3, None)}
    assert standing().aliases == {"champion": 3}


def test_rollbacks_go_further_back(three):
    """Twice leads to the champion before the one before; then there is nowhere to go."""
    for number in ("2", "3"):
        promote(number, "try")
    for _ in range(2):
        rollback("bad sevens")

    assert champions() == [1, 2, 3, 2, 1]
    with pytest.raises(UserError, match="no version was champion before version 1; nothing was"):
        rollback("bad")
    assert champions() == [1, 2, 3, 2, 1]


@pytest.mark.parametrize(
    ("reference", "reason", "words"),
    [
        ("1", "x", "digits version 1 is champion already; nothing was changed"),
        ("champion", "x", "digits version 1 is champion already; nothing was changed"),
        ("7", "x", "digits has no version '7'"),
        ("chalenger", "x", "no version 'chalenger' .*; choose one of challenger"),
        ("2", " \n ", "the reason is empty; say why with --reason"),
        ("2", "x" * 6000, "characters too long; give a shorter one"),
    ],
)
def test_what_cannot_be_promoted_changes_nothing(three, reference, reason, words):
    """One line says why; aliases and record are as before."""
    before = standing()
    with pytest.raises(UserError, match=words) as caught:
        promote(reference, reason)

    assert "\n" not in str(caught.value)
    assert standing() == before


def test_a_version_that_does_not_verify_is_refused(three, workspace):
    """Its files were changed in the registry, or are gone: neither promoted nor rolled back to."""
    client = store.embedded().client
    promote("2", "try")
    before = standing()
    for number in ("1", "3"):
        place = client.get_model_version_download_uri("digits", number)
        with (workspace / place / "weights.pt").open("ab") as file:
            file.write(b"!")
    with pytest.raises(UserError, match="version 3 in this checkout's own store was changed"):
        promote("3", "x")
    with pytest.raises(UserError, match="version 1 in this checkout's own store was changed"):
        rollback("x")
    client.set_model_version_tag("digits", "3", REMOVED, "on Friday by anna")
    with pytest.raises(UserError, match="version 3 has no files: on Friday by anna"):
        promote("3", "x")

    assert standing() == before


def test_a_champion_set_by_other_means_can_be_recorded(three):
    """Promoting it again says why; a rollback leads back to what the record knows."""
    store.embedded().client.set_registered_model_alias("digits", "champion", "2")
    told = promote("2", "it was meant so")

    assert told == "digits version 2 was champion already, now it is recorded"
    assert [(e.action, e.why) for e in standing().record.entries[-1:]] == [
        ("promote", "it was meant so")
    ]
    assert standing().disagreements == []
    rollback("it was not")
    assert champions() == [1, 2, 1]


def test_without_a_champion_there_is_nothing_to_go_back_from(three):
    """Somebody deleted the alias."""
    store.embedded().client.delete_registered_model_alias("digits", "champion")
    with pytest.raises(UserError, match="digits has no champion to go back from"):
        rollback("x")


def test_a_registry_that_does_not_answer_is_not_replaced_by_another(three, monkeypatch):
    """Nothing is promoted in this checkout's own store instead."""
    before = standing()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    for action in (lambda: promote("2", "x"), lambda: rollback("x")):
        with pytest.raises(UserError, match="does not answer"):
            action()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")

    assert standing() == before
