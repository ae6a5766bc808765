"""The alias log as people read it: all entries, who was champion when, and what is wrong.

What an entry holds is in `alias_log`; how entries are added is in `alias_moves`.
"""

import textwrap
from datetime import UTC, datetime

from digits.project import text_table
from digits.project.errors import UserError
from digits.registry import alias_log, alias_moves
from digits.registry.alias_log import CHAMPION, LOG_FILE, AliasLogEntry, format_time
from digits.registry.alias_moves import AliasState

MAX_REASON_WIDTH = 60  # characters; --json prints all of it
NEXT_STEPS = "find out who did it, then `digits history --accept REASON` lets work go on"


def format_log(state: AliasState) -> str:
    """Return a table with every entry as a row, newest first."""
    if not state.log.entries:
        return f"{state.name} has no record yet; it begins with the first change of an alias"
    head = ["entry", "when (UTC)", "who", "what", "change", "why"]
    return text_table.format_table(head, list(map(_row, reversed(state.log.entries))), range(6))


def _row(entry: AliasLogEntry) -> list[str]:
    why = textwrap.shorten(text_table.printable(entry.why), MAX_REASON_WIDTH, placeholder="…")
    moment = format_time(entry.when)
    return [str(entry.number), moment, entry.who, entry.action, _format_moves(entry), why]


def _format_moves(entry: AliasLogEntry) -> str:
    moves = entry.moves.items()
    return ", ".join(f"{alias} {left or 'none'} -> {to or 'none'}" for alias, (left, to) in moves)


def parse_time(text: str) -> datetime:
    """Parse a time such as 2026-11-20T12:00 or ...T13:00+01:00; without an offset it is UTC.

    Raises UserError for what is not a time, and for one that has not come yet.
    """
    try:
        parsed = datetime.fromisoformat(text.strip())
        moment = parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        usual = "2026-11-20T12:00 (UTC) or 2026-11-20T13:00+01:00"
        raise UserError(f"--at: {text!r} is not a time. Use {usual}") from error
    if moment > alias_log.utc_now():
        raise UserError(f"{format_time(moment)} UTC has not come yet; --at asks about the past")
    return moment


def champion_at(state: AliasState, moment: datetime) -> str:
    """Say which version was champion at a moment."""
    changes, at = state.log.changes(CHAMPION), f"at {format_time(moment)} UTC"
    past = [e for e in changes if e.when <= moment]
    later = next((e for e in changes if e.when > moment), None)
    if not past:
        return f"unknown {at}: the alias log of {state.name} begins later"
    number, why = past[-1].moves[CHAMPION][1], text_table.printable(past[-1].why)
    since = f"since {format_time(past[-1].when)} ({past[-1].action}: {why})"
    until = "" if later is None else f", until {format_time(later.when)}"
    who = "no version" if number is None else f"{state.name} version {number}"
    return f"{who} was champion {at}, {since}{until}{_describe_uncertainty(state, later)}"


def _describe_uncertainty(state: AliasState, later: AliasLogEntry | None) -> str:
    """Say that the champion was moved without an entry, where it was."""
    if later is not None and later.action == "found":
        to = later.moves[CHAMPION][1]
        return f"; somewhere before that it was moved to {to or 'none'} by other means"
    external = [text for text in state.disagreements if text.startswith(CHAMPION)]
    return f"; but {external[0]}" if later is None and external else ""


def check_log(state: AliasState) -> tuple[list[str], int]:
    """Compare registry, file and aliases; return what to tell, and the exit status.

    A file that only ends earlier is completed. `digits verify` prints the same.
    """
    log, wrong = state.log, [*state.log.problems, *state.disagreements]
    lines = [f"accepted: {problem}" for problem in log.accepted]
    if log.problems and log.unwritten:
        wrong.append(f"a fork: {len(log.unwritten)} entries are in the registry alone")
    else:
        lines += _complete_file(state)
    if wrong:
        lines += [*(f"wrong: {text}" for text in wrong), NEXT_STEPS]
    return [text_table.printable(line) for line in lines], int(bool(wrong))


def _complete_file(state: AliasState) -> list[str]:
    """Add the entries that the file lacks, and tell of them; only tell where it is read-only."""
    try:
        count = alias_moves.append_to_log_file(state)
    except OSError as error:
        found = f"note: {LOG_FILE} is behind by {len(state.log.unwritten)} line(s)"
        return [f"{found} and cannot be written here ({error.strerror})"]
    return [f"note: {LOG_FILE} was behind, {count} line(s) are added now; commit it"] * bool(count)
