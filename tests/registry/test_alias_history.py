"""The record as people read it: all of it, or who was champion at a time."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from digits.cli.main import main
from digits.project.errors import UserError
from digits.registry import alias_history, alias_log
from digits.registry.alias_log import LOG_FILE
from tests.conftest import standing
from tests.registry.conftest import embedded_client, move

TIMES = [datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in (9, 11, 15)]


@pytest.fixture
def recorded(workspace, monkeypatch):
    """A registry in which 1, 2 and 1 became champion on 20 November at 9, 11 and 15 o'clock."""
    client = embedded_client()
    client.create_registered_model("digits")
    for _ in range(3):
        client.create_model_version("digits", "s3://nowhere/model")
    changes = ((1, "register"), (2, "promote"), (1, "rollback"))
    for moment, (to, action) in zip(TIMES, changes, strict=True):
        monkeypatch.setattr(alias_log, "utc_now", lambda moment=moment: moment)
        move(to, action, f"reason of {moment:%H}")
    monkeypatch.setattr(alias_log, "utc_now", lambda: datetime(2026, 11, 22, tzinfo=UTC))
    return client


def digits(capsys, *arguments):
    """What the command says on either stream, line by line, and its exit status."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["history", *arguments])
    return "".join(capsys.readouterr()).splitlines(), ended.value.code


def test_the_record_is_a_table(recorded, capsys):
    """Newest first: who, when, from, to, why."""
    lines, status = digits(capsys)

    assert lines[0].split() == ["entry", "when", "(UTC)", "who", "what", "change", "why"]
    assert lines[1].startswith("3      2026-11-20 15:00:00  ")
    assert lines[1].endswith("rollback  champion 2 -> 1     reason of 15")
    assert lines[3].endswith("register  champion none -> 1  reason of 09")
    assert (len(lines), status) == (4, 0)


def test_a_long_reason_is_shortened_except_in_json(recorded, capsys):
    """The table stays narrower than 140 characters."""
    move(2, why="because " * 40)
    lines, _ = digits(capsys)
    assert lines[1].endswith(" because…")
    assert len(lines[1]) < 140
    shown, _ = digits(capsys, "--json")
    assert json.loads("\n".join(shown))["entries"][-1]["why"].count("because") == 40


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-20T09:00", "digits version 1 was champion at 2026-11-20 09:00:00 UTC, since"),
        ("2026-11-20T11:00:00Z", "version 2 was champion .*promote: reason of 11.* until .* 15:00"),
        ("2026-11-20T12:30+01:00", "version 2 was champion at 2026-11-20 11:30:00 UTC"),
        ("2026-11-20 15:00", r"version 1 .*since 2026-11-20 15:00:00 \(rollback: reason of 15\)\n"),
        ("2026-11-20T08:59:59", "unknown .*alias log of digits begins later"),
    ],
)
def test_who_was_champion_then(recorded, capsys, moment, words):
    """UTC unless it says otherwise; each change holds from its own moment on."""
    lines, status = digits(capsys, "--at", moment)

    assert re.search(words, "\n".join([*lines, ""]))
    assert status == 0


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "25:00", "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_told(text):
    """One line shows how to write it."""
    with pytest.raises(UserError, match=r"is not a time\. Use 2026-11-20T12:00"):
        alias_history.parse_time(text)


def test_the_future_is_not_told(recorded):
    """What has not come yet nobody was champion in."""
    ahead = datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=1))) + timedelta(seconds=1)
    with pytest.raises(UserError, match="2026-11-22 00:00:01 UTC has not come yet"):
        alias_history.parse_time(ahead.isoformat())


def move_alias(client, _file):
    """Set the alias by other means."""
    client.set_registered_model_alias("digits", "champion", "3")


def cut(client, _file):
    """Take the last entry out of the registry, and its move back."""
    client.delete_registered_model_tag("digits", standing().log.entries[-1].id)
    client.set_registered_model_alias("digits", "champion", "2")


def fork(client, file):
    """Take an entry from the registry and another one from the file."""
    client.delete_registered_model_tag("digits", standing().log.entries[0].id)
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            move_alias,
            "wrong: champion is version 3 in the registry and version 1 in the record: it was",
        ),
        (cut, "wrong: entry 3 .* is in metrics/aliases.jsonl and not in the registry"),
        (fork, "wrong: a fork: 1 entries are in the registry alone"),
    ],
)
def test_what_differs_is_told_with_the_command_that_mends_it(
    recorded, capsys, workspace, damage, words
):
    """Status 1 however it is asked; after that command 0, it stays told, and work goes on."""
    damage(recorded, workspace / LOG_FILE)
    for arguments in ((), ("--at", "2026-11-20T12:00")):
        lines, status = digits(capsys, *arguments)
        assert re.search(words, "\n".join(lines))
        assert (status, "`digits history --accept REASON`" in lines[-1]) == (1, True)
    if damage is not move_alias:
        with pytest.raises(UserError, match="not in the registry; nothing was changed"):
            move(2)
    assert digits(capsys, "--accept", "a slip of mine")[1] == 0

    lines, status = digits(capsys)
    assert (status, "wrong: " in "\n".join(lines)) == (0, False)
    assert "a slip of mine" in lines[1]
    move(2)
    assert digits(capsys)[1] == 0


def test_a_file_that_ends_earlier_is_completed(recorded, capsys, workspace):
    """On an older commit, or after others wrote: said, status 0, the same lines again."""
    complete = (workspace / LOG_FILE).read_text()
    (workspace / LOG_FILE).write_text(complete.splitlines(keepends=True)[0].rstrip("\n"))
    lines, status = digits(capsys)

    assert lines[-1] == "note: metrics/aliases.jsonl was behind, 2 line(s) are added now; commit it"
    assert (status, (workspace / LOG_FILE).read_text()) == (0, complete)
    (workspace / LOG_FILE).unlink()
    assert (digits(capsys)[1], (workspace / LOG_FILE).read_text()) == (0, complete)


def test_what_was_moved_by_other_means_makes_an_answer_uncertain(recorded, capsys):
    """Told with the answer: first as it is found, then as an entry of the record."""
    move_alias(recorded, None)
    (first, *_), _ = digits(capsys, "--at", "2026-11-21")
    move(2)
    (second, *_), _ = digits(capsys, "--at", "2026-11-21")

    assert "version 1 was champion at 2026-11-21 00:00:00 UTC" in first
    assert "; but champion is version 3 in the registry" in first
    assert second.endswith("somewhere before that it was moved to 3 by other means")


def test_before_the_record_nobody_was_champion(workspace, capsys):
    """No registered model at all is no error; a champion without an entry is told."""
    (line,), _ = digits(capsys, "--at", "2026-11-20")
    assert line.startswith("unknown at 2026-11-20 00:00:00 UTC")
    client = embedded_client()
    client.create_registered_model("digits")
    client.create_model_version("digits", "s3://nowhere/model")
    client.set_registered_model_alias("digits", "champion", "1")
    lines, status = digits(capsys, "--at", "2026-11-20")

    assert lines[0].startswith("unknown")
    assert lines[1].startswith("wrong: champion is version 1 in the registry and no version in")
    assert status == 1
