"""The record answers who was champion when; registry and file are held against each other."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from digits.registry import alias_log
from digits.registry.alias_log import IDENTITY_TAG, AliasLogEntry

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROMOTED = [("promote", 1), ("promote", 2), ("promote", 3)]
# As version 1 of this project wrote them, with hashes of those before, under such keys.
OLD = {
    "ledger.000001.4d3a6a2f0c1b9e88": '{"accepts":[],"action":"register","gate":{},"moves":'
    '{"champion":[null,1]},"number":1,"previous":[],"removes":[],"when":'
    '"2026-11-19T10:00:00Z","who":"anna@lab","why":"the first"}',
    "ledger.000002.9c0d5b7733aa1f02": '{"accepts":["0123456789abcdef"],"action":"promote","gate":'
    '{"mode":"off"},"moves":{"champion":[1,2]},"number":2,"previous":["4d3a"],"removes":[7],'
    '"when":"2026-11-19T11:00:00Z","who":"ben@lab","why":"better"}',
}


def entry(number, move, action="promote", minute=None, **content):
    """An entry in which the champion moves, at a minute after noon."""
    when = NOON + timedelta(minutes=number if minute is None else minute)
    content = {"why": f"reason {number}", "id": f"alias.{number}.ab", "who": "anna@lab", **content}
    moves = {"champion": move}
    return AliasLogEntry(number=number, when=when, action=action, moves=moves, **content)


def entries(changes):
    """Entries in which champion goes to each number by its action."""
    ends = [None, *(to for _, to in changes)]
    return [entry(i + 1, (ends[i], to), action) for i, (action, to) in enumerate(changes)]


def tags(*entries):
    """Tags of the registered model "r" that holds these entries."""
    return {IDENTITY_TAG: "r", **{e.id: e.text for e in entries}}


def log_of(changes):
    """The record of these changes."""
    return alias_log.read_log(tags(*entries(changes)))


FIRST, SECOND, THIRD = entries(PROMOTED)


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
    assert log_of(changes).previous_champion(changes[-1][1]) == before
    assert log_of(PROMOTED).previous_champion(7) == 3  # which somebody set by other means


def test_what_was_rolled_back_from_is_withdrawn_until_promoted():
    """A person's word ends it."""
    changes = [*PROMOTED, ("rollback", 2), ("rollback", 1)]

    assert set(log_of(changes).withdrawn) == {3, 2}
    assert set(log_of([*changes, ("promote", 3)]).withdrawn) == {2}


def test_two_at_once_are_both_kept_in_one_order():
    """The same number: the time decides, and nothing is wrong."""
    late = entry(4, (3, 4), minute=6, id="alias.4.6")
    early = entry(4, (3, 5), minute=5, id="alias.4.5")
    both = alias_log.read_log(tags(FIRST, SECOND, THIRD, late, early))

    assert both.entries[-2:] == (early, late)
    assert (both.version_of("champion"), both.champions, both.problems) == (4, {1, 2, 3, 4, 5}, ())


def test_a_record_of_version_1_is_read_and_goes_on():
    """Order, champions, prunings and times of the old chain; then a line like any other."""
    new = entry(3, (2, 3), action="rollback")
    both = alias_log.read_log({**OLD, **tags(new)})

    assert [(e.number, e.who) for e in both.entries[:2]] == [(1, "anna@lab"), (2, "ben@lab")]
    assert [e.why for e in both.entries[:2]] == ["the first", "better"]
    assert (both.previous_champion(3), both.champions, both.removed) == (2, {1, 2, 3}, {7})
    assert both.unwritten == both.entries
    lines = [e.line("r") for e in both.entries]
    again = alias_log.read_log({**OLD, **tags(new)}, lines)
    assert (again.unwritten, again.problems, again.entries) == ((), (), both.entries)


def test_a_line_says_all_of_it():
    """Who, when, from, to, why and what the gate measured, as JSON."""
    line = json.loads(entry(2, (1, 2), gate={"rules": {"better": {"p": 0.01}}}).line("r"))

    assert line == {
        "registry": "r",
        "id": "alias.2.ab",
        "number": 2,
        "when": "2026-11-20T12:02:00Z",
        "who": "anna@lab",
        "action": "promote",
        "why": "reason 2",
        "moves": {"champion": [1, 2]},
        "gate": {"rules": {"better": {"p": 0.01}}},
    }


LINES = [e.line("r") for e in (FIRST, SECOND, THIRD)]
TAGS = tags(FIRST, SECOND, THIRD)
OTHER = SECOND.model_copy(update={"why": "another"})


@pytest.mark.parametrize(
    ("present", "lines", "unwritten", "problem"),
    [
        (TAGS, LINES, (), None),
        (TAGS, [], (1, 2, 3), None),
        (TAGS, [LINES[2], "", LINES[0], LINES[1], LINES[0]], (), None),
        (TAGS, [*LINES, THIRD.line("another")], (), None),
        (TAGS, [*LINES, entry(9, (1, 9)).line("another")], (), None),
        (tags(THIRD), [FIRST.line("x"), THIRD.line("x")], (), "1 .* not in the registry"),
        (tags(FIRST, SECOND), LINES, (), "entry 3 .* of anna@lab is in .* and not in the reg"),
        (tags(SECOND, THIRD), LINES[:1], (2, 3), "entry 1 .* not in the registry"),
        ({IDENTITY_TAG: "r"}, LINES[:1], (), "entry 1 .* not in the registry"),
        ({}, LINES, (), None),
        (tags(FIRST, OTHER, THIRD), LINES, (), "the why another in the reg.* and reason 2 in"),
        ({**TAGS, FIRST.id: "nonsense"}, LINES, (), "in the registry is no entry: nonsense"),
        ({**TAGS, FIRST.id: "[" * 5000}, LINES, (), "in the registry is no entry"),
        (TAGS, [*LINES, "<<<<<<< HEAD"], (), "has a line that is no entry: <<<<<<< HEAD"),
    ],
)
def test_registry_and_file_are_compared(present, lines, unwritten, problem):
    """A file that lacks entries is behind; whatever it has and the registry has not is wrong."""
    log = alias_log.read_log(present, lines)

    assert tuple(e.number for e in log.unwritten) == unwritten
    assert len(log.problems) == (problem is not None)
    assert problem is None or re.search(problem, log.problems[0])


@pytest.mark.parametrize(
    "change",
    [
        {"why": "nothing"},
        {"moves": {"champion": [1, 4]}},
        {"moves": {"champion": ["1", 2]}},
        {"when": "0001-01-01T00:00:00+14:00"},
        {"more": 1},
    ],
)
def test_whatever_was_edited_is_noticed(change):
    """In the registry or in the file; the file's word counts, and there is no traceback."""
    plain = json.loads(SECOND.text) | change
    here = alias_log.read_log({**TAGS, SECOND.id: json.dumps(plain)}, LINES)
    there = json.dumps({"registry": "r", "id": SECOND.id, **plain})

    assert len(here.problems) == 1
    assert here.entries == (FIRST, SECOND, THIRD)
    assert alias_log.read_log(TAGS, [LINES[0], there, LINES[2]]).problems


def test_what_was_accepted_stays_told_and_another_problem_does_not_pass():
    """Accepting is an entry; the same entry edited once more is a new problem."""
    edited = {**TAGS, SECOND.id: OTHER.text}
    problems = alias_log.read_log(edited, LINES).problems
    signs = tuple(alias_log.problem_id(problem) for problem in problems)
    accepted = {**edited, "alias.4": entry(4, (3, 3), action="accept", accepts=signs).text}

    assert alias_log.read_log(accepted, LINES).problems == ()
    assert alias_log.read_log(accepted, LINES).accepted == problems
    again = SECOND.model_copy(update={"why": "once more"})
    assert alias_log.read_log({**accepted, SECOND.id: again.text}, LINES).problems
