"""The record of aliases in words: all of it, who was champion when, and what is wrong with it."""

from datetime import UTC, datetime

from digits.project import text_table
from digits.project.errors import UserError
from digits.registry import alias_log, alias_moves
from digits.registry.alias_log import CHAMPION, LOG_FILE, AliasLogEntry, format_time
from digits.registry.alias_moves import AliasState
from digits.tracking.tracking_store import translate_errors

NEXT_STEPS = "find out who did it, then `digits history --accept REASON` lets work go on"


def format_log(now: AliasState) -> str:
    """Every entry as a row, newest first."""
    if not now.log.entries:
        return f"{now.name} has no record yet; it begins with the first change of an alias"
    head = ["entry", "when (UTC)", "who", "what", "change", "why"]
    rows = [
        [str(e.number), format_time(e.when), e.who, e.action, _format_moves(e), e.why]
        for e in reversed(now.log.entries)
    ]
    return text_table.format_table(head, rows, left=range(6))


def _format_moves(made: AliasLogEntry) -> str:
    moves = made.moves.items()
    return ", ".join(f"{alias} {left or 'none'} -> {to or 'none'}" for alias, (left, to) in moves)


def parse_time(text: str) -> datetime:
    """A time such as 2026-11-20T12:00 or ...T13:00+01:00; without an offset it is UTC.

    Raises UserError for what is no time or has not come yet.
    """
    try:
        found = datetime.fromisoformat(text.strip())
        asked = found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        usual = "2026-11-20T12:00 (UTC) or 2026-11-20T13:00+01:00"
        raise UserError(f"--at is {text!r}, no time; write it as {usual}") from error
    if asked > alias_log.utc_now():
        raise UserError(f"{format_time(asked)} UTC has not come yet; --at asks about the past")
    return asked


def champion_at(now: AliasState, asked: datetime) -> str:
    """Which version was champion at a moment, as sentences."""
    changes, at = now.log.changes(CHAMPION), f"at {format_time(asked)} UTC"
    past = [e for e in changes if e.when <= asked]
    later = next((e for e in changes if e.when > asked), None)
    if not past:
        return f"nobody knows {at}: the record of {now.name} does not go back so far"
    number = past[-1].moves[CHAMPION][1]
    why = text_table.printable(past[-1].why)
    since = f"since {format_time(past[-1].when)} ({past[-1].action}: {why})"
    until = "" if later is None else f", until {format_time(later.when)}"
    who = "no version" if number is None else f"{now.name} version {number}"
    return f"{who} was champion {at}, {since}{until}{_uncertainty(now, later)}"


def _uncertainty(now: AliasState, later: AliasLogEntry | None) -> str:
    """What is uncertain because an alias was moved without a word in the record."""
    if later is not None and later.action == "found":
        to = later.moves[CHAMPION][1]
        return f"; somewhere before that it was moved to {to or 'none'} by other means"
    unrecorded = [text for text in now.disagreements if text.startswith(CHAMPION)]
    return f"; but {unrecorded[0]}" if later is None and unrecorded else ""


def accept_differences(why: str) -> str:
    """Record that what is wrong now was looked at. UserError when nothing is."""
    reason, now = alias_log.clean_reason(why), alias_moves.current_alias_state()
    if not now.log.problems and not now.unrecorded:
        raise UserError(f"the record of {now.name} is whole; there is nothing to accept")
    with translate_errors(now.store):
        alias_moves.accept_problems(now, reason)
    return "accepted; `digits history` still shows it"


def check_log(now: AliasState) -> tuple[list[str], int]:
    """What registry, file and aliases say when held against each other; the exit status.

    A file that only ends earlier is completed. `digits verify` prints the same.
    """
    record, wrong = now.log, [*now.log.problems, *now.disagreements]
    told = [f"accepted: {problem}" for problem in record.accepted]
    if record.problems and record.unwritten:
        wrong.append(f"a fork: {len(record.unwritten)} entries are in the registry alone")
    elif count := alias_moves.append_to_log_file(now):
        told.append(f"note: {LOG_FILE} was behind, {count} line(s) are added now; commit it")
    if wrong:
        told += [*(f"wrong: {text}" for text in wrong), NEXT_STEPS]
    return [text_table.printable(line) for line in told], int(bool(wrong))
