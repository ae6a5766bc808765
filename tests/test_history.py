"""The record as people read it: all of it, or who was champion at a time."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from stages import history
from stages.lib.errors import UserError
from stages.lib.tracking import aliases, ledger, store

TIMES = [datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in (9, 11, 15)]


@pytest.fixture
def recorded(workspace, monkeypatch):
    """A registry in which 1, 2 and 1 became champion on 20 November at 9, 11 and 15 o'clock."""
    client = store.embedded().client
    client.create_registered_model("digits")
    for _ in range(3):
        client.create_model_version("digits", "s3://nowhere/model")
    for moment, to, action in zip(
        TIMES, (1, 2, 1), ("register", "promote", "rollback"), strict=True
    ):
        monkeypatch.setattr(ledger, "now", lambda moment=moment: moment)
        aliases.change(standing(), {"champion": to}, action=action, why=f"reason of {moment:%H}")
    monkeypatch.setattr(ledger, "now", lambda: datetime(2026, 11, 22, tzinfo=UTC))
    return client


def standing():
    """Aliases and record of the workspace's store."""
    return aliases.standing(store.embedded(), "digits")


def test_the_record_is_a_table(recorded, capsys):
    """Newest first: who, when, from, to, why; and the hash that guards all of it."""
    history.history()
    lines = capsys.readouterr().out.splitlines()

    assert lines[0].split() == ["entry", "when", "(UTC)", "who", "what", "change", "why"]
    assert lines[1].startswith("3      2026-11-20 15:00:00  ")
    assert lines[1].endswith("rollback  champion 2 -> 1     reason of 15")
    assert lines[3].endswith("register  champion none -> 1  reason of 09")
    assert lines[4] == f"3 entries; SHA-256 of the last: {standing().record.heads[0][:16]}"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-20T09:00", "digits version 1 was champion at 2026-11-20 09:00:00 UTC, since"),
        ("2026-11-20T10:59:59.999", "version 1 was champion .* until 2026-11-20 11:00:00"),
        ("2026-11-20T11:00:00Z", "version 2 was champion .*promote: reason of 11.* until .* 15:00"),
        ("2026-11-20T12:30+01:00", "version 2 was champion at 2026-11-20 11:30:00 UTC"),
        ("2026-11-20 15:00", r"version 1 .*since 2026-11-20 15:00:00 \(rollback: reason of 15\)\n"),
        ("2026-11-21", "version 1 was champion at 2026-11-21 00:00:00 UTC"),
        ("2026-11-20T08:59:59", "nobody knows .*record begins at .* 09:00.* version 1 became"),
        ("0001-01-01", "nobody knows"),
    ],
)
def test_who_was_champion_then(recorded, capsys, moment, words):
    """UTC unless it says otherwise; each change holds from its own moment on."""
    history.at(moment)

    assert re.search(words, capsys.readouterr().out)


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "25:00", "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_told(recorded, text):
    """One line shows how to write it."""
    with pytest.raises(UserError, match="no time; write it as 2026-11-20T12:00"):
        history.at(text)


def test_the_future_is_not_told(recorded):
    """What has not come yet nobody was champion in."""
    ahead = datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=1))) + timedelta(seconds=1)
    with pytest.raises(UserError, match="2026-11-22 00:00:01 UTC has not come yet"):
        history.at(ahead.isoformat())


def test_what_was_moved_by_other_means_is_told(recorded, capsys):
    """The record and the registry disagree: both are told, first as a note, then as an entry."""
    recorded.set_registered_model_alias("digits", "champion", "3")
    history.history()
    history.at("2026-11-21")
    aliases.change(standing(), {"champion": 2}, action="promote", why="x")
    history.at("2026-11-21")
    told = capsys.readouterr().out.splitlines()

    assert told[5].startswith("note: champion is version 3 in the registry and version 1 in the")
    assert "version 1 was champion at 2026-11-21 00:00:00 UTC" in told[6]
    assert "; but champion is version 3 in the registry" in told[6]
    assert told[8].endswith("somewhere before that it was moved to 3 by other means")


def test_tampering_is_told_and_can_be_accepted(recorded, capsys):
    """Everything is shown, the status says that it is wrong; a person's word lets work go on."""
    key = standing().record.entries[1].key
    recorded.set_registered_model_tag("digits", key, "{}")
    for told in (history.history, lambda: history.at("2026-11-20T12:00")):
        with pytest.raises(UserError, match=r"tampered with in 1 place.* --accept REASON"):
            told()
        assert f"tampered with: {key} was edited" in capsys.readouterr().out
    with pytest.raises(UserError, match="tampered"):
        aliases.change(standing(), {"champion": 2}, action="promote", why="x")

    assert history.accept("a slip of mine").startswith("accepted 1 problem(s)")
    history.history()
    assert f"accepted: {key} was edited" in capsys.readouterr().out
    aliases.change(standing(), {"champion": 2}, action="promote", why="x")
    with pytest.raises(UserError, match="is whole; there is nothing to accept"):
        history.accept("again")


def test_before_the_first_change_there_is_nothing(workspace, capsys):
    """No registered model at all is no error."""
    history.history()
    history.at("2026-11-20")
    told = capsys.readouterr().out

    assert "digits has no record yet; it begins with the first change of an alias" in told
    assert "nobody knows at 2026-11-20 00:00:00 UTC: digits has no record of a champion" in told


def test_a_champion_from_before_the_record(workspace, capsys):
    """The record says that it found one."""
    client = store.embedded().client
    client.create_registered_model("digits")
    client.create_model_version("digits", "s3://nowhere/model")
    client.set_registered_model_alias("digits", "champion", "1")
    client.create_model_version("digits", "s3://nowhere/model")
    history.history()
    aliases.change(standing(), {"champion": 2}, action="promote", why="x")
    history.at("2026-11-20")

    told = capsys.readouterr().out
    assert "note: champion is version 1, it was set before the record began" in told
    assert "when version 1 was champion already" in told
