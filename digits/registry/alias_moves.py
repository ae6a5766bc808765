"""Who has which alias of a registered model, and the one way to change it: recorded.

A change is written in this order: its entry in the registry, the aliases, the line in
metrics/aliases.jsonl. One that was cut off is the last entry and has no line yet; the same
command finishes it. Lines are appended and never rewritten.
"""

import os
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from digits.project import atomic_files, workspace
from digits.project.errors import UserError
from digits.project.process_locks import process_lock
from digits.registry import alias_log, version_lookup
from digits.registry.alias_log import (
    CHALLENGER,
    CHAMPION,
    ENTRY_TAG_PREFIX,
    IDENTITY_TAG,
    LOG_FILE,
    AliasLog,
    AliasLogEntry,
    AliasMove,
)
from digits.registry.model_version import find_registered_model
from digits.tracking import run_context
from digits.tracking.tracking_store import TrackingStore, translate_errors

AliasMoves = Mapping[str, int | None]
RECORDED = (CHAMPION, CHALLENGER)
MAX_TAG_CHARACTERS = 5000  # characters of a registered model's tag in MLflow's database
MAX_ACCEPTED = 100  # problems that one entry accepts
MAX_ROUNDS = 10  # of setting aliases until they are what the record says
MOVED = "was moved by other means, or a change was cut off"


class ConcurrentUpdateError(UserError):
    """Somebody changed the champion after it had been looked at."""


@dataclass(frozen=True)
class AliasState:
    """A registered model as it stands: the version of each alias, and the record."""

    store: TrackingStore
    name: str
    aliases: Mapping[str, int]
    log: AliasLog

    @property
    def unrecorded(self) -> dict[str, AliasMove]:
        """Aliases that are elsewhere than the record says: where it has them, where they are."""
        pairs = {alias: (self.log.version_of(alias), self.aliases.get(alias)) for alias in RECORDED}
        return {alias: pair for alias, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def disagreements(self) -> list[str]:
        """The same, a sentence each."""
        return [
            f"{alias} is {_version(to)} in the registry and {_version(told)} in the record: "
            f"it {MOVED}"
            for alias, (told, to) in self.unrecorded.items()
        ]

    def interrupted_change(self, moves: AliasMoves) -> AliasLogEntry | None:
        """The last entry when it makes these moves, and was perhaps not carried out."""
        last = next(reversed(self.log.entries), None)
        if not moves or last is None or last not in self.log.unwritten:
            return None
        made = {alias: to for alias, (_, to) in last.moves.items()}
        return last if {**made, **moves} == made else None

    def champion_moves(self, number: int) -> dict[str, int | None]:
        """The moves that make a version champion: it is no challenger any more."""
        same = self.aliases.get(CHALLENGER) == number
        return {CHAMPION: number} | ({CHALLENGER: None} if same else {})


def _version(number: int | None) -> str:
    return "no version" if number is None else f"version {number}"


def alias_state(store: TrackingStore, name: str) -> AliasState:
    """`name` as it stands in `store`; without aliases and record where it is not there."""
    path = workspace.state_root() / LOG_FILE
    lines = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
    found = find_registered_model(
        store, name
    )  # after the file: what that has is in the registry by then
    tags, aliases = (found.tags, found.aliases) if found else ({}, {})
    numbers = {alias: int(number) for alias, number in aliases.items()}
    return AliasState(store, name, numbers, alias_log.read_log(tags, lines))


def current_alias_state() -> AliasState:
    """How this checkout's registered model stands."""
    where = version_lookup.registry_store()
    with translate_errors(where):
        return alias_state(where, version_lookup.registered_model_name())


def append_to_log_file(seen: AliasState) -> int:
    """Append the entries that the file lacks; how many."""
    path = workspace.state_root() / LOG_FILE
    with process_lock("aliases"):
        record = alias_state(seen.store, seen.name).log
        lines = [f"{one.line(record.identity)}\n" for one in record.unwritten if record.identity]
        before = path.read_bytes() if path.exists() else b""
        gap = b"\n" if before and not before.endswith(b"\n") else b""
        if lines:
            atomic_files.write_bytes(path, before + gap + "".join(lines).encode())
    return len(lines)


def require_intact_log(now: AliasState) -> None:
    """Raise UserError when the record has problems that nobody accepted."""
    if now.log.problems:
        first = now.log.problems[0]
        message = f"the record of {now.name} is not whole: {first}; nothing was changed"
        raise UserError(f"{message}, `digits history` has all and how to go on")


def change_aliases(
    seen: AliasState,
    moves: AliasMoves,
    *,
    action: str,
    why: str,
    gate: Mapping[str, Any] | None = None,
    removes: Sequence[int] = (),
) -> AliasLogEntry | None:
    """Move aliases to versions, or away where None, and record it; nothing to do: None.

    A change that was cut off is finished, under its own entry, when it made the same moves.
    Raises OvertakenError when the champion is not the one `seen` any more, and UserError
    when the record is not whole.
    """
    with process_lock("registry"):
        now = alias_state(seen.store, seen.name)
        require_intact_log(now)
        _check_champion_unchanged(now, seen)
        made = now.interrupted_change(moves)
        if made is None:
            wanted = {a: (now.log.version_of(a), now.aliases.get(a)) for a in moves}
            if not removes and all(wanted[a] == (moves[a], moves[a]) for a in moves):
                return None
            now = _record_external_moves(now, f"it {MOVED}; found just before the next entry")
            held = now.aliases
            real = {a: (held.get(a), to) for a, to in moves.items() if held.get(a) != to}
            facts = {"action": action, "why": why, "moves": real, "removes": tuple(removes)}
            made = _append_entry(now, gate=dict(gate or {}), **facts)
        _apply_log(now, list(made.moves))
        append_to_log_file(now)
        return made


def _check_champion_unchanged(now: AliasState, seen: AliasState) -> None:
    """Raise OvertakenError when the champion was changed, or its change recorded, since `seen`."""
    before, after = seen.aliases.get(CHAMPION), now.aliases.get(CHAMPION)
    told = now.log.version_of(CHAMPION)
    if before != after or told not in {before, seen.log.version_of(CHAMPION)}:
        raise ConcurrentUpdateError("the champion was changed meanwhile; look again")


def _record_external_moves(now: AliasState, why: str) -> AliasState:
    """`now` after the record tells of aliases that were moved by other means."""
    if not now.unrecorded:
        return now
    _append_entry(now, action="found", why=why, moves=now.unrecorded)
    return alias_state(now.store, now.name)


def accept_problems(seen: AliasState, why: str) -> None:
    """Record that what is wrong now was looked at, so that work goes on."""
    with process_lock("registry"):
        now = _record_external_moves(alias_state(seen.store, seen.name), why)
        while now.log.problems:
            signs = tuple(
                alias_log.problem_id(problem) for problem in now.log.problems[:MAX_ACCEPTED]
            )
            _append_entry(now, action="accept", why=why, moves={}, accepts=signs)
            now = alias_state(seen.store, seen.name)
        append_to_log_file(now)


def _append_entry(now: AliasState, **facts: Any) -> AliasLogEntry:
    """Write the next entry. UserError when it is too long to be stored."""
    client, when = now.store.client, alias_log.utc_now()
    key = f"{ENTRY_TAG_PREFIX}{when:%Y%m%dT%H%M%S}.{secrets.token_hex(8)}"
    number = 1 + max((one.number for one in now.log.entries), default=0)
    made = AliasLogEntry(id=key, number=number, when=when, who=_current_user(), **facts)
    if len(made.text) > MAX_TAG_CHARACTERS:
        over = len(made.text) - MAX_TAG_CHARACTERS
        raise UserError(f"the reason is {over} characters too long; give a shorter one")
    if not now.log.identity:
        client.set_registered_model_tag(now.name, IDENTITY_TAG, uuid.uuid4().hex)
    client.set_registered_model_tag(now.name, key, made.text)
    return made


def _apply_log(now: AliasState, aliases: list[str]) -> None:
    """Set `aliases` as the record says, until nobody has changed it meanwhile.

    Without this, two machines could record in one order and set the alias in the other.
    """
    client, name = now.store.client, now.name
    for _ in range(MAX_ROUNDS):
        now = alias_state(now.store, name)
        wrong = {alias: told for alias, (told, _) in now.unrecorded.items() if alias in aliases}
        for alias, number in wrong.items():
            if number is None:
                client.delete_registered_model_alias(name, alias)
            else:
                client.set_registered_model_alias(name, alias, str(number))
        if not wrong:
            return
    raise UserError(f"others keep changing the aliases of {name}; `digits history` shows them")


def _current_user() -> str:
    """The person, and the machine."""
    here = run_context.environment_tags()
    return f"{os.environ.get('MLFLOW_TRACKING_USERNAME') or here['mlflow.user']}@{here['env.host']}"
