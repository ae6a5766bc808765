"""Which version has which alias, and the one way to change it: with an entry in the alias log.

A change is written in this order: its entry in the registry, the aliases, the line in
metrics/aliases.jsonl. A change that was cut off is the last entry and has no line yet; the
same command finishes it. Lines are appended and never rewritten.
"""

import os
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digits.project import atomic_files, workspace
from digits.project.errors import UserError
from digits.project.process_locks import process_lock
from digits.registry import alias_log, version_lookup
from digits.registry.alias_log import CHALLENGER, CHAMPION, LOG_FILE, AliasLogEntry, AliasMove
from digits.registry.model_version import find_registered_model
from digits.tracking import run_context
from digits.tracking.tracking_store import TrackingStore, translate_errors

AliasMoves = Mapping[str, int | None]
LOGGED_ALIASES = (CHAMPION, CHALLENGER)
MAX_TAG_CHARACTERS = 5000  # characters of a registered model's tag in MLflow's database
MAX_ACCEPTED = 100  # problems that one entry accepts
MAX_ATTEMPTS = 10  # at setting aliases until they are what the log says
MOVED = "it was moved by other means, or a change was cut off"


class ConcurrentUpdateError(UserError):
    """Somebody changed the champion after it had been looked at."""


@dataclass(frozen=True)
class AliasState:
    """The version of each alias of a registered model, and its alias log."""

    store: TrackingStore
    name: str
    aliases: Mapping[str, int]
    log: alias_log.AliasLog

    @property
    def external_moves(self) -> dict[str, AliasMove]:
        """Aliases that were moved without an entry: their version by the log, and now."""
        pairs = {a: (self.log.version_of(a), self.aliases.get(a)) for a in LOGGED_ALIASES}
        return {alias: pair for alias, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def disagreements(self) -> list[str]:
        """The same, a sentence each."""
        return [
            f"{a} is {_version(to)} in the registry and {_version(logged)} in the record: {MOVED}"
            for a, (logged, to) in self.external_moves.items()
        ]

    def interrupted_change(self, moves: AliasMoves, action: str) -> AliasLogEntry | None:
        """Return the last entry if it is this change, and was perhaps not carried out."""
        last = next(reversed(self.log.entries), None)
        if not moves or last is None or last.action != action or last not in self.log.unwritten:
            return None
        ends = {alias: to for alias, (_, to) in last.moves.items()}
        return last if {**ends, **moves} == ends else None

    def moves_to(self, alias: str | None, number: int) -> dict[str, int | None]:
        """Return the moves that give a version `alias`; a champion is challenger no more."""
        is_challenger = alias == CHAMPION and self.aliases.get(CHALLENGER) == number
        ends: dict[str, int | None] = {CHALLENGER: None} if is_challenger else {}
        return {alias: number, **ends} if alias else {}


def _version(number: int | None) -> str:
    return "no version" if number is None else f"version {number}"


def alias_state(store: TrackingStore, name: str) -> AliasState:
    """Read the aliases and the log of `name`; both are empty where `store` has no such model."""
    path = _log_file()
    lines = path.read_text("utf-8", "replace").splitlines() if path and path.exists() else []
    model = find_registered_model(store, name)  # after the file: has all that the file has
    tags, aliases = (model.tags, model.aliases) if model else ({}, {})
    numbers = {alias: int(number) for alias, number in aliases.items()}
    log = alias_log.read_log(tags, lines)
    if path is None:  # no file says which change was carried out: the aliases alone do
        log = replace(log, unwritten=())
    return AliasState(store, name, numbers, log)


def _log_file() -> Path | None:
    """Return the log's copy in git, or None outside of a checkout."""
    root = workspace.find_state_root()
    return None if root is None else root / LOG_FILE


def current_alias_state() -> AliasState:
    """Read the aliases and the log of this checkout's registered model."""
    store = version_lookup.open_registry()
    with translate_errors(store):
        return alias_state(store, version_lookup.registered_model_name())


def append_to_log_file(state: AliasState) -> int:
    """Append the entries that the file lacks; return how many. Without a checkout there is none."""
    if (path := _log_file()) is None:
        return 0
    with process_lock("aliases"):
        log = alias_state(state.store, state.name).log
        lines = [f"{e.line(log.identity)}\n" for e in log.unwritten if log.identity]
        before = path.read_bytes() if path.exists() else b""
        gap = b"\n" if before and not before.endswith(b"\n") else b""
        if lines:
            atomic_files.write_bytes(path, before + gap + "".join(lines).encode())
    return len(lines)


def require_intact_log(state: AliasState) -> AliasState:
    """Return `state`. Raises UserError when its log has problems that nobody accepted."""
    if state.log.problems:
        found = f"the alias log of {state.name} has a problem: {state.log.problems[0]}"
        raise UserError(f"{found}; nothing was changed, `digits history` shows how to go on")
    return state


def change_aliases(
    expected: AliasState, moves: AliasMoves, *, action: str, why: str, **content: Any
) -> AliasLogEntry | None:
    """Move aliases to versions, or away where None; return the entry, None for nothing to do.

    `content` are other fields of the entry: `gate` and `removes`, with which there is always
    something to do.
    A change that was cut off is finished, under its own entry, when it made the same moves.
    Raises ConcurrentUpdateError when the champion is not the `expected` one any more, and
    UserError when the log has problems.
    """
    with process_lock("registry"):
        state = require_intact_log(alias_state(expected.store, expected.name))
        _check_champion_unchanged(state, expected)
        entry = state.interrupted_change(moves, action)
        if entry is None:
            logged, aliases = state.log.version_of, state.aliases
            if "removes" not in content and all(
                logged(a) == aliases.get(a) == to for a, to in moves.items()
            ):
                return None
            state = _append_external_moves(state, f"{MOVED}; found just before the next entry")
            starts = {a: state.aliases.get(a) for a in moves}
            real = {a: (starts[a], to) for a, to in moves.items() if starts[a] != to}
            entry = _append_entry(state, action=action, why=why, moves=real, **content)
        _apply_log(state, list(entry.moves))
        append_to_log_file(state)
        return entry


def _check_champion_unchanged(state: AliasState, expected: AliasState) -> None:
    """Raise ConcurrentUpdateError when the champion, or its entry, is not the `expected` one."""
    before, after = expected.aliases.get(CHAMPION), state.aliases.get(CHAMPION)
    logged = state.log.version_of(CHAMPION)
    if before != after or logged not in {before, expected.log.version_of(CHAMPION)}:
        raise ConcurrentUpdateError("the champion was changed meanwhile; look again")


def _append_external_moves(state: AliasState, why: str) -> AliasState:
    """Add an entry for aliases that were moved without one; return the state with it."""
    if not state.external_moves:
        return state
    _append_entry(state, action="found", why=why, moves=state.external_moves)
    return alias_state(state.store, state.name)


def accept_differences(why: str) -> str:
    """Add entries that accept everything that is wrong now. UserError when nothing is."""
    why, state = alias_log.clean_reason(why), current_alias_state()
    if not state.log.problems and not state.external_moves:
        raise UserError(f"the alias log of {state.name} is whole; there is nothing to accept")
    with translate_errors(state.store), process_lock("registry"):
        state = _append_external_moves(alias_state(state.store, state.name), why)
        while state.log.problems:
            ids = tuple(map(alias_log.problem_id, state.log.problems[:MAX_ACCEPTED]))
            _append_entry(state, action="accept", why=why, moves={}, accepts=ids)
            state = alias_state(state.store, state.name)
        append_to_log_file(state)
    return "accepted; `digits history` still shows it"


def _append_entry(state: AliasState, **content: Any) -> AliasLogEntry:
    """Write the next entry to the registry. UserError when it is too long to be stored."""
    client, when = state.store.client, alias_log.utc_now()
    key = f"{alias_log.ENTRY_TAG_PREFIX}{when:%Y%m%dT%H%M%S}.{secrets.token_hex(8)}"
    number = 1 + max((e.number for e in state.log.entries), default=0)
    here = run_context.environment_tags()
    who = f"{os.environ.get('MLFLOW_TRACKING_USERNAME') or here['mlflow.user']}@{here['env.host']}"
    entry = AliasLogEntry(id=key, number=number, when=when, who=who, **content)
    if (over := len(entry.text) - MAX_TAG_CHARACTERS) > 0:
        raise UserError(f"the reason is {over} characters too long; give a shorter one")
    if not state.log.identity:
        client.set_registered_model_tag(state.name, alias_log.IDENTITY_TAG, uuid.uuid4().hex)
    client.set_registered_model_tag(state.name, key, entry.text)
    return entry


def _apply_log(state: AliasState, aliases: list[str]) -> None:
    """Set `aliases` as the log says, until nobody has changed it meanwhile.

    Without this, two machines could write entries in one order and set the alias in the other.
    """
    client, name = state.store.client, state.name
    for _ in range(MAX_ATTEMPTS):
        moves = alias_state(state.store, name).external_moves
        wrong = {alias: logged for alias, (logged, _) in moves.items() if alias in aliases}
        for alias, number in wrong.items():
            if number is None:
                client.delete_registered_model_alias(name, alias)
            else:
                client.set_registered_model_alias(name, alias, str(number))
        if not wrong:
            return
    raise UserError(f"others keep changing the aliases of {name}; `digits history` shows them")
