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

from stages.lib import files
from stages.lib.errors import UserError
from stages.lib.tracking import entry, lineage, resolve
from stages.lib.tracking.entry import CHALLENGER, CHAMPION, FILE, IDENTITY, KEY, Entry, Move, Record
from stages.lib.tracking.store import Store, asking, lock
from stages.lib.tracking.version import registered

Moves = Mapping[str, int | None]
RECORDED = (CHAMPION, CHALLENGER)
LIMIT = 5000  # characters of a registered model's tag in MLflow's database
BATCH = 100  # problems that one entry accepts
ROUNDS = 10  # of setting aliases until they are what the record says
MOVED = "was moved by other means, or a change was cut off"


class OvertakenError(UserError):
    """Somebody changed the champion after it had been looked at."""


@dataclass(frozen=True)
class Standing:
    """A registered model as it stands: the version of each alias, and the record."""

    store: Store
    name: str
    aliases: Mapping[str, int]
    record: Record

    @property
    def unrecorded(self) -> dict[str, Move]:
        """Aliases that are elsewhere than the record says: where it has them, where they are."""
        pairs = {alias: (self.record.state(alias), self.aliases.get(alias)) for alias in RECORDED}
        return {alias: pair for alias, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def disagreements(self) -> list[str]:
        """The same, a sentence each."""
        return [
            f"{alias} is {_version(to)} in the registry and {_version(told)} in the record: "
            f"it {MOVED}"
            for alias, (told, to) in self.unrecorded.items()
        ]

    def cut_off(self, moves: Moves) -> Entry | None:
        """The last entry when it makes these moves, and was perhaps not carried out."""
        last = next(reversed(self.record.entries), None)
        if not moves or last is None or last not in self.record.unwritten:
            return None
        made = {alias: to for alias, (_, to) in last.moves.items()}
        return last if {**made, **moves} == made else None

    def crowning(self, number: int) -> dict[str, int | None]:
        """The moves that make a version champion: it is no challenger any more."""
        same = self.aliases.get(CHALLENGER) == number
        return {CHAMPION: number} | ({CHALLENGER: None} if same else {})


def _version(number: int | None) -> str:
    return "no version" if number is None else f"version {number}"


def standing(store: Store, name: str) -> Standing:
    """`name` as it stands in `store`; without aliases and record where it is not there."""
    path = files.home() / FILE
    lines = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
    found = registered(store, name)  # after the file: what that has is in the registry by then
    tags, aliases = (found.tags, found.aliases) if found else ({}, {})
    numbers = {alias: int(number) for alias, number in aliases.items()}
    return Standing(store, name, numbers, entry.read(tags, lines))


def current() -> Standing:
    """How this checkout's registered model stands."""
    where = resolve.source()
    with asking(where):
        return standing(where, resolve.model_name())


def write(seen: Standing) -> int:
    """Append the entries that the file lacks; how many."""
    path = files.home() / FILE
    with lock("aliases"):
        record = standing(seen.store, seen.name).record
        lines = [f"{one.line(record.identity)}\n" for one in record.unwritten if record.identity]
        before = path.read_bytes() if path.exists() else b""
        gap = b"\n" if before and not before.endswith(b"\n") else b""
        if lines:
            files.write_bytes(path, before + gap + "".join(lines).encode())
    return len(lines)


def whole(now: Standing) -> None:
    """Raise UserError when the record has problems that nobody accepted."""
    if now.record.problems:
        first = now.record.problems[0]
        message = f"the record of {now.name} is not whole: {first}; nothing was changed"
        raise UserError(f"{message}, `digits history` has all and how to go on")


def change(
    seen: Standing,
    moves: Moves,
    *,
    action: str,
    why: str,
    gate: Mapping[str, Any] | None = None,
    removes: Sequence[int] = (),
) -> Entry | None:
    """Move aliases to versions, or away where None, and record it; nothing to do: None.

    A change that was cut off is finished, under its own entry, when it made the same moves.
    Raises OvertakenError when the champion is not the one `seen` any more, and UserError
    when the record is not whole.
    """
    with lock("registry"):
        now = standing(seen.store, seen.name)
        whole(now)
        _current(now, seen)
        made = now.cut_off(moves)
        if made is None:
            wanted = {a: (now.record.state(a), now.aliases.get(a)) for a in moves}
            if not removes and all(wanted[a] == (moves[a], moves[a]) for a in moves):
                return None
            now = _caught_up(now, f"it {MOVED}; found just before the next entry")
            held = now.aliases
            real = {a: (held.get(a), to) for a, to in moves.items() if held.get(a) != to}
            facts = {"action": action, "why": why, "moves": real, "removes": tuple(removes)}
            made = _append(now, gate=dict(gate or {}), **facts)
        _settle(now, list(made.moves))
        write(now)
        return made


def _current(now: Standing, seen: Standing) -> None:
    """Raise OvertakenError when the champion was changed, or its change recorded, since `seen`."""
    before, after = seen.aliases.get(CHAMPION), now.aliases.get(CHAMPION)
    told = now.record.state(CHAMPION)
    if before != after or told not in {before, seen.record.state(CHAMPION)}:
        raise OvertakenError("the champion was changed meanwhile; look again")


def _caught_up(now: Standing, why: str) -> Standing:
    """`now` after the record tells of aliases that were moved by other means."""
    if not now.unrecorded:
        return now
    _append(now, action="found", why=why, moves=now.unrecorded)
    return standing(now.store, now.name)


def accept(seen: Standing, why: str) -> None:
    """Record that what is wrong now was looked at, so that work goes on."""
    with lock("registry"):
        now = _caught_up(standing(seen.store, seen.name), why)
        while now.record.problems:
            signs = tuple(entry.sign(problem) for problem in now.record.problems[:BATCH])
            _append(now, action="accept", why=why, moves={}, accepts=signs)
            now = standing(seen.store, seen.name)
        write(now)


def _append(now: Standing, **facts: Any) -> Entry:
    """Write the next entry. UserError when it is too long to be stored."""
    client, when = now.store.client, entry.now()
    key = f"{KEY}{when:%Y%m%dT%H%M%S}.{secrets.token_hex(8)}"
    number = 1 + max((one.number for one in now.record.entries), default=0)
    made = Entry(id=key, number=number, when=when, who=_who(), **facts)
    if len(made.text) > LIMIT:
        over = len(made.text) - LIMIT
        raise UserError(f"the reason is {over} characters too long; give a shorter one")
    if not now.record.identity:
        client.set_registered_model_tag(now.name, IDENTITY, uuid.uuid4().hex)
    client.set_registered_model_tag(now.name, key, made.text)
    return made


def _settle(now: Standing, aliases: list[str]) -> None:
    """Set `aliases` as the record says, until nobody has changed it meanwhile.

    Without this, two machines could record in one order and set the alias in the other.
    """
    client, name = now.store.client, now.name
    for _ in range(ROUNDS):
        now = standing(now.store, name)
        wrong = {alias: told for alias, (told, _) in now.unrecorded.items() if alias in aliases}
        for alias, number in wrong.items():
            if number is None:
                client.delete_registered_model_alias(name, alias)
            else:
                client.set_registered_model_alias(name, alias, str(number))
        if not wrong:
            return
    raise UserError(f"others keep changing the aliases of {name}; `digits history` shows them")


def _who() -> str:
    """The person, and the machine."""
    here = lineage.environment()
    return f"{os.environ.get('MLFLOW_TRACKING_USERNAME') or here['mlflow.user']}@{here['env.host']}"
