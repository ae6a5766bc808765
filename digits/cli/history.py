"""`digits history`: show and check the log of alias changes."""

import json
import sys

import click

from digits.cli.options import json_option
from digits.project.errors import UserError

AT = "Show the champion at a time: 2026-11-20T12:00 (UTC)."
ACCEPT = "Accept the differences found, and say why."


@click.option("--at", metavar="TIME", help=AT)
@click.option("--accept", metavar="TEXT", help=ACCEPT)
@json_option
def history(at: str | None, accept: str | None, *, as_json: bool) -> None:
    """Show and check the log of alias changes.

    Each row is one change: who moved which alias, when, from which version to which, and why.
    The log in the registry is compared with its copy in metrics/aliases.jsonl, and both with the
    present aliases. Entries that the end of the file lacks are added to it.

    While there are differences, no alias can be moved. --accept logs that somebody has looked at
    them, and lets work go on.

    Example: digits history --at 2026-11-20T12:00

    Exit status: 0 if everything agrees, 1 if there are differences.
    """
    if as_json and (at or accept) is not None:
        raise UserError("--json prints all entries; leave out --at and --accept")
    from digits.registry import alias_history, alias_moves  # 2 s: MLflow

    if accept is not None:
        print(alias_moves.accept_differences(accept))
        return
    time = None if at is None else alias_history.parse_time(at)
    state = alias_moves.current_alias_state()
    lines, status = alias_history.check_log(state)
    if as_json:
        entries = [json.loads(e.line(state.log.identity)) for e in state.log.entries]
        print(json.dumps({"entries": entries, "messages": lines}, indent=2))
        sys.exit(status)
    log = alias_history.champion_at(state, time) if time else alias_history.format_log(state)
    print(log, *lines, sep="\n")
    sys.exit(status)
