"""The record of who was champion when, and why; and what was done to the record itself.

digits history
digits history --at 2026-11-20T12:00
"""

from datetime import UTC, datetime

from stages.lib import table
from stages.lib.errors import UserError
from stages.lib.tracking import aliases, ledger, resolve
from stages.lib.tracking.aliases import Standing
from stages.lib.tracking.entry import CHAMPION, Entry, written
from stages.lib.tracking.version import Version

ADVICE = "find out who did it, then `digits history --accept REASON` lets work go on"


def history() -> None:
    """Print every entry, newest first. Raises UserError when somebody tampered with it."""
    now = _standing()
    if now.record.entries:
        rows = [_row(entry) for entry in reversed(now.record.entries)]
        head = ["entry", "when (UTC)", "who", "what", "change", "why"]
        print(table.aligned(head, rows, left=range(6)))
        heads = " and ".join(digest[:16] for digest in now.record.heads)
        print(f"{len(now.record.entries)} entries; SHA-256 of the last: {heads}")
    else:
        print(f"{now.name} has no record yet; it begins with the first change of an alias")
    for problem in now.record.accepted:
        print(f"accepted: {problem}")
    for sentence in [*now.disagreements, *now.record.doubts]:
        print(f"note: {table.plain(sentence)}")
    _complain(now)


def _standing() -> Standing:
    where = resolve.source()
    with resolve.asking(where):
        return aliases.standing(where, resolve.model_name())


def _row(entry: Entry) -> list[str]:
    """A row of the table of entries."""
    moves = ", ".join(f"{a} {_version(x)} -> {_version(y)}" for a, (x, y) in entry.moves.items())
    what = f"{entry.action} (edited)" if entry.edited else entry.action
    return [str(entry.number), written(entry.when), entry.who, what, moves, entry.why]


def _version(number: int | None) -> str:
    return "none" if number is None else str(number)


def _complain(now: Standing) -> None:
    """Raise UserError when the record was tampered with, after telling all of it."""
    problems = now.record.problems
    for problem in problems:
        print(f"tampered with: {problem}")
    if problems:
        found = f"the record of {now.name} was tampered with in {len(problems)} place(s)"
        raise UserError(f"{found}; {ADVICE}")


def accept(reason: str) -> str:
    """Record that the present damage was looked at, so that aliases can be changed again.

    Raises UserError when there is nothing to accept.
    """
    why, now = ledger.reason(reason), _standing()
    if not now.record.problems:
        raise UserError(f"the record of {now.name} is whole; there is nothing to accept")
    with resolve.asking(now.store):
        aliases.accept(now, why)
    return f"accepted {len(now.record.problems)} problem(s); `digits history` still shows them"


def at(text: str) -> None:
    """Print which version was champion at a time such as 2026-11-20T12:00 or ...T13:00+01:00.

    Without an offset it is UTC. Raises UserError for what is no time or not yet come.
    """
    moment = _moment(text)
    now = _standing()
    print(_answer(now, moment))
    for sentence in now.record.doubts:
        print(f"note: {table.plain(sentence)}")
    _complain(now)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
        moment = found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        usual = "2026-11-20T12:00 (UTC) or 2026-11-20T13:00+01:00"
        raise UserError(f"--at is {text!r}, no time; write it as {usual}") from error
    if moment > ledger.now():
        raise UserError(f"{written(moment)} UTC has not come yet; --at asks about the past")
    return moment


def _answer(now: Standing, moment: datetime) -> str:
    """Who was champion at `moment`, as sentences."""
    changes, asked = now.record.changes(CHAMPION), f"at {written(moment)} UTC"
    past = [e for e in changes if e.when <= moment]
    later = next((e for e in changes if e.when > moment), None)
    doubt = _doubt(now, later)
    if not past:
        return f"nobody knows {asked}: {_beginning(now, later)}"
    number = past[-1].moves[CHAMPION][1]
    since = f"since {written(past[-1].when)} ({past[-1].action}: {table.plain(past[-1].why)})"
    until = "" if later is None else f", until {written(later.when)}"
    if number is None:
        return f"no version was champion {asked}, {since}{until}{doubt}"
    told = f"{now.name} version {number} was champion {asked}, {since}{until}{doubt}"
    return f"{told}\n{_identity(now, number)}"


def _beginning(now: Standing, first: Entry | None) -> str:
    """Why there is no answer for a time before the record."""
    if first is None:
        return f"{now.name} has no record of a champion"
    to = first.moves[CHAMPION][1]
    state = f"version {to} was champion already" if first.action == "found" else ""
    made = state or f"version {to} became champion, the first of the record"
    return f"the record begins at {written(first.when)} UTC, when {made}"


def _doubt(now: Standing, later: Entry | None) -> str:
    """What is uncertain because an alias was moved without a word in the record."""
    if later is not None and later.action == "found":
        to = _version(later.moves[CHAMPION][1])
        return f"; somewhere before that it was moved to {to} by other means"
    unrecorded = [d for d in now.disagreements if d.startswith(CHAMPION)]
    return f"; but {unrecorded[0]}" if later is None and unrecorded else ""


def _identity(now: Standing, number: int) -> str:
    """What tells which model a version is, outside of the registry, too."""
    try:
        version: Version = resolve.version(str(number), now.store)
    except resolve.UnknownError:
        return f"version {number} is no longer in the registry"
    return f"content {version.content_sha256}  run {version.run_id}  commit {version.commit}"
