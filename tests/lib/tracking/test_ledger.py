"""The record answers who was champion when, and notices what was done to it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.errors import UserError
from stages.lib.tracking import ledger

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def minute(n):
    """Noon and n minutes."""
    return NOON + timedelta(minutes=n)


def written(*changes):
    """The tags of a record in which champion goes to each number by its action, a minute apart."""
    tags = {}
    for i, (action, to) in enumerate(changes):
        now = ledger.read(tags)
        moves = {"champion": (now.state("champion"), to)}
        entry = now.next(minute(i), who="anna@lab", action=action, why=f"reason {i}", moves=moves)
        tags[entry.key] = entry.text
    return tags


PROMOTED = [("promote", 1), ("promote", 2), ("promote", 3)]


def test_a_record_reads_as_it_was_written():
    """Entries come in order, each after the one before, whole."""
    read = ledger.read(written(*PROMOTED))

    assert [e.number for e in read.entries] == [1, 2, 3]
    assert [e.previous for e in read.entries[1:]] == [(e.sha256,) for e in read.entries[:2]]
    assert (read.problems, read.heads) == ((), (read.entries[-1].sha256,))
    assert read.entries[1].when == minute(1)
    assert read.entries[1].moves == {"champion": (1, 2)}
    assert read.champions == {1, 2, 3}


@pytest.mark.parametrize(
    ("moment", "champion"),
    [
        (NOON - timedelta(milliseconds=1), None),
        (NOON, 1),
        (minute(1) - timedelta(milliseconds=1), 1),
        (minute(1), 2),
        (minute(99), 3),
        (None, 3),
    ],
)
def test_who_was_champion_when(moment, champion):
    """From the moment of an entry until the moment before the next."""
    assert ledger.read(written(*PROMOTED)).state("champion", moment) == champion


@pytest.mark.parametrize(
    ("changes", "before"),
    [
        ([("promote", 1)], None),
        (PROMOTED, 2),
        ([*PROMOTED, ("rollback", 2)], 1),
        ([*PROMOTED, ("rollback", 2), ("rollback", 1)], None),
        ([*PROMOTED, ("rollback", 2), ("promote", 4)], 2),
        ([*PROMOTED, ("rollback", 2), ("promote", 3)], 2),
        ([*PROMOTED, ("promote", 1)], 3),
        ([("promote", 1), ("found", None), ("found", 2)], 1),
    ],
)
def test_rollbacks_go_further_back_and_never_forth(changes, before):
    """What was rolled back from is never where a rollback leads."""
    read = ledger.read(written(*changes))

    assert read.before(changes[-1][1]) == before


def test_a_rollback_from_what_the_record_does_not_know():
    """From a version that somebody set by other means it leads to the recorded champion."""
    assert ledger.read(written(*PROMOTED)).before(7) == 3


def test_what_was_rolled_back_from_is_withdrawn_until_promoted():
    """A person's word ends it."""
    changes = [*PROMOTED, ("rollback", 2), ("rollback", 1)]

    assert set(ledger.read(written(*changes)).withdrawn) == {3, 2}
    assert set(ledger.read(written(*changes, ("promote", 3))).withdrawn) == {2}


def replaced(tags, number, change):
    """`tags` with the text of entry `number` changed."""
    key = sorted(tags)[number - 1]
    plain = json.loads(tags[key])
    plain.update(change)
    return tags | {key: json.dumps(plain, sort_keys=True, separators=(",", ":"))}


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("change", [{"why": "nothing"}, {"when": "2026-01-01T00:00:00+00:00"}])
def test_an_edited_entry_is_noticed(number, change):
    """Whichever it is, and whatever of it was edited."""
    read = ledger.read(replaced(written(*PROMOTED), number, change))

    assert len(read.problems) == 1
    assert f"ledger.00000{number}" in read.problems[0]
    assert "was edited" in read.problems[0]
    assert read.champions == {1, 2, 3}


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"moves": 3}', "null"])
def test_nonsense_is_noticed(text):
    """A tag that holds no entry is no traceback."""
    tags = written(*PROMOTED)
    key = sorted(tags)[-1]

    assert f"{key} was edited" in ledger.read(tags | {key: text}).problems[0]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_removed_entry_is_noticed(number):
    """By the next one, or for the last one by the mark on its version."""
    tags = written(*PROMOTED)
    marks = list(tags)
    del tags[sorted(tags)[number - 1]]
    problems = ledger.read(tags, marks).problems

    assert len(problems) == 1
    assert "was removed" in problems[0]


def test_a_removed_record_is_noticed():
    """All entries gone: the marks tell."""
    assert len(ledger.read({}, written(*PROMOTED)).problems) == 3


def test_a_forged_entry_under_another_key_is_noticed():
    """An edited entry that got the key of its new text leaves a gap."""
    tags = written(*PROMOTED)
    key = sorted(tags)[0]
    edited = replaced(tags, 1, {"why": "nothing"})[key]
    del tags[key]
    forged = ledger.read({"ledger.000001.0000000000000000": edited}).entries[0]
    read = ledger.read(tags | {forged.key: forged.text})

    assert "before ledger.000002" in read.problems[0]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_change_of_a_character_is_noticed(data):
    """One character of one entry, whichever."""
    tags = written(*PROMOTED)
    key = data.draw(st.sampled_from(sorted(tags)))
    place = data.draw(st.integers(0, len(tags[key]) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != tags[key][place]))
    text = tags[key][:place] + other + tags[key][place + 1 :]

    assert ledger.read(tags | {key: text}).problems


def test_accepted_damage_stays_told_and_other_damage_does_not_pass():
    """Accepting is an entry; the same entry edited once more is a new problem."""
    tags = replaced(written(*PROMOTED), 2, {"why": "nothing"})
    now = ledger.read(tags)
    signs = tuple(ledger.sign(p) for p in now.problems)
    entry = now.next(minute(5), who="ben", action="accept", why="a slip", moves={}, accepts=signs)
    tags[entry.key] = entry.text

    assert ledger.read(tags).problems == ()
    assert ledger.read(tags).accepted == now.problems
    assert ledger.read(replaced(tags, 2, {"why": "something"})).problems != ()


def test_two_at_once_are_both_kept_in_one_order():
    """Entries after the same one are no damage; the next names both."""
    tags = written(*PROMOTED)
    now = ledger.read(tags)
    for moment, who, to in ((6, "anna@lab", 4), (5, "ben@office", 5)):
        move = {"champion": (3, to)}
        entry = now.next(minute(moment), who=who, action="promote", why="x", moves=move)
        tags[entry.key] = entry.text
    both = ledger.read(tags)

    assert (both.problems, len(both.heads)) == ((), 2)
    assert [e.who for e in both.entries[-2:]] == ["ben@office", "anna@lab"]
    assert both.state("champion") == 4
    last = both.next(minute(7), who="anna@lab", action="promote", why="x", moves={})
    assert (last.number, last.previous) == (5, both.heads)


def test_clocks_that_differ_a_little_are_evened_out():
    """A machine that is behind by minutes does not turn time back."""
    now = ledger.read(written(*PROMOTED))
    entry = now.next(minute(-2), who="x", action="promote", why="x", moves={})

    assert entry.when == minute(2)
    assert now.doubts == []


@pytest.mark.parametrize("wrong", [minute(-600), minute(60 * 24 * 365)])
def test_a_clock_that_is_far_off_is_told_and_does_not_spoil_the_rest(wrong):
    """Slow by hours or fast by a year: later entries have their own time and order."""
    tags = written(*PROMOTED)
    for i, (moment, to) in enumerate(((wrong, 4), (minute(10), 5))):
        now = ledger.read(tags)
        move = {"champion": (now.state("champion"), to)}
        entry = now.next(moment, who=f"writer {i}", action="promote", why="x", moves=move)
        tags[entry.key] = entry.text
    read = ledger.read(tags)

    assert read.problems == ()
    assert read.state("champion", minute(11)) == read.state("champion") == 5
    assert len(read.doubts) == 1
    assert "writer 0" in read.doubts[0]


@pytest.mark.parametrize("change", [{"accepts": 3}, {"moves": {"champion": ["1", 2]}}, {"who": 1}])
def test_a_well_hashed_entry_of_wrong_types_is_noticed(change):
    """Whoever forges an entry, key and all, gets no traceback for it."""
    tags = written(*PROMOTED)
    last = max(tags)
    text = replaced(tags, 3, change)[last]
    key = f"ledger.000003.{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    read = ledger.read({k: v for k, v in tags.items() if k != last} | {key: text}, [last])

    assert len(read.problems) == 2
    assert read.state("champion") == 2


def test_after_an_edited_last_entry_the_chain_goes_on_from_the_one_before():
    """So that removing that one is noticed, too."""
    tags = replaced(written(*PROMOTED), 3, {"why": "nothing"})
    now = ledger.read(tags)
    entry = now.next(minute(9), who="x", action="promote", why="x", moves={})

    assert [e.sha256 for e in now.entries[:2]][1:] == list(entry.previous)
    assert entry.number == 4


def test_a_reason_that_does_not_fit_is_refused():
    """MLflow's database cuts or refuses long tags."""
    with pytest.raises(UserError, match=r"the reason is \d+ characters too long"):
        ledger.read({}).next(NOON, who="x", action="promote", why="x" * 5000, moves={})
