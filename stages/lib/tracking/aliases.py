"""Who has which alias of a registered model, and the one way to change it: recorded."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from stages.lib.errors import UserError
from stages.lib.tracking import ledger, lineage
from stages.lib.tracking.entry import CHALLENGER, CHAMPION, PREFIX, Entry
from stages.lib.tracking.ledger import Ledger
from stages.lib.tracking.store import Store, lock

RECORDED = (CHAMPION, CHALLENGER)
BATCH = 100  # problems that one entry accepts
ROUNDS = 10  # of setting aliases until they are what the record says
PAUSES = (0.1, 0.3, 0.6)  # seconds between record and alias that others are granted
MOVED = "was moved by other means, or a change was cut off; found just before the next entry"
BEFORE = "was set before the record began"


class OvertakenError(UserError):
    """Somebody changed the champion after it had been looked at."""


@dataclass(frozen=True)
class Standing:
    """A registered model as it stands: the version of each alias, and the record."""

    store: Store
    name: str
    aliases: Mapping[str, int]
    record: Ledger

    @property
    def disagreements(self) -> list[str]:
        """Where the registry's aliases are not what the record says, a sentence each."""
        pairs = [(a, self.record.state(a), self.aliases.get(a)) for a in RECORDED]
        return [self._disagreement(a, told, now) for a, told, now in pairs if told != now]

    def _disagreement(self, alias: str, told: int | None, now: int | None) -> str:
        if not self.record.entries:
            return f"{alias} is {_version(now)}, it {BEFORE}"
        found = f"{alias} is {_version(now)} in the registry and {_version(told)} in the record"
        return f"{found}: it was moved by other means, or a change was cut off"


def _version(number: int | None) -> str:
    return "no version" if number is None else f"version {number}"


def standing(store: Store, name: str) -> Standing:
    """`name` as it stands in `store`; without aliases and record where it is not there."""
    from mlflow.exceptions import MlflowException

    # Marks first: an entry is written before its mark, so one that is marked is there then.
    marks = _marks(store, name)
    try:
        found = store.client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return Standing(store, name, {}, ledger.read({}))
    aliases = {alias: int(number) for alias, number in found.aliases.items()}
    return Standing(store, name, aliases, ledger.read(found.tags, marks))


def _marks(store: Store, name: str) -> set[str]:
    """Keys of entries that versions bear."""
    token, marks = None, set()
    while True:
        page = store.client.search_model_versions(f"name = '{name}'", page_token=token)
        marks |= {key for v in page for key in v.tags if key.startswith(PREFIX)}
        token = page.token
        if not token:
            return marks


def whole(now: Standing) -> None:
    """Raise UserError when somebody tampered with the record."""
    if now.record.problems:
        first, *others = now.record.problems
        more = f" and {len(others)} more" if others else ""
        message = f"the record of {now.name} was tampered with: {first}{more}; nothing was changed"
        raise UserError(f"{message}, `digits history` has all and how to go on")


def change(
    seen: Standing,
    moves: Mapping[str, int | None],
    *,
    action: str,
    why: str,
    gate: Mapping[str, Any] | None = None,
    removes: Sequence[int] = (),
) -> Entry | None:
    """Move aliases to versions, or away where None, and record it; nothing to do: None.

    The entry is written before the aliases are moved, so no change is without one; a change
    that was cut off between is found by the next. Raises OvertakenError when the champion is
    not the one `seen` any more, and UserError when the record was tampered with.
    """
    with lock("registry"):
        now = _steady(seen)
        whole(now)
        if now.aliases.get(CHAMPION) != seen.aliases.get(CHAMPION):
            place = _version(now.aliases.get(CHAMPION))
            raise OvertakenError(f"the champion was changed meanwhile, it is {place}; look again")
        real = {a: (now.aliases.get(a), to) for a, to in moves.items() if now.aliases.get(a) != to}
        if not real and not removes:
            return None
        now = _caught_up(now)
        facts = {"action": action, "why": why, "moves": real, "removes": tuple(removes)}
        entry = _append(now, gate=dict(gate or {}), **facts)
        _settle(now, list(real))
        return entry


def _steady(seen: Standing) -> Standing:
    """How the model stands, after changes that others are just making had time to end."""
    now = standing(seen.store, seen.name)
    for pause in PAUSES:
        if not now.record.entries or not now.disagreements:
            break
        time.sleep(pause)
        now = standing(seen.store, seen.name)
    return now


def _caught_up(now: Standing) -> Standing:
    """`now` after the record tells of aliases that were moved by other means."""
    how = MOVED if now.record.entries else BEFORE
    for alias in RECORDED:
        move = now.record.state(alias), now.aliases.get(alias)
        if move[0] != move[1]:
            _append(now, action="found", why=f"{alias} {how}", moves={alias: move})
            now = standing(now.store, now.name)
    return now


def adopt(seen: Standing, why: str) -> None:
    """Record aliases that were moved by other means as they are, with a reason."""
    with lock("registry"):
        now = _steady(seen)
        whole(now)
        now = _caught_up(now)
        _append(now, action="promote", why=why, moves={})


def accept(seen: Standing, why: str) -> None:
    """Record that the present damage of the record was looked at."""
    with lock("registry"):
        now = standing(seen.store, seen.name)
        while now.record.problems:
            signs = tuple(ledger.sign(problem) for problem in now.record.problems[:BATCH])
            _append(now, action="accept", why=why, moves={}, accepts=signs)
            now = standing(seen.store, seen.name)


def _append(now: Standing, **facts: Any) -> Entry:
    """Write the next entry, and its mark on the version that it is about."""
    from mlflow.exceptions import MlflowException

    client = now.store.client
    entry = now.record.next(ledger.now(), who=_who(), **facts)
    client.set_registered_model_tag(now.name, entry.key, entry.text)
    if entry.subject is not None:
        with suppress(MlflowException):  # a version that was deleted bears no marks
            names = " ".join(sorted(entry.moves))
            client.set_model_version_tag(now.name, str(entry.subject), entry.key, names)
    return entry


def _settle(now: Standing, aliases: list[str]) -> None:
    """Set `aliases` as the record says, until nobody has changed it meanwhile.

    Without this, two machines could record in one order and set the alias in the other.
    """
    client, name = now.store.client, now.name
    for _ in range(ROUNDS):
        now = standing(now.store, name)
        wrong = {a: now.record.state(a) for a in aliases}
        wrong = {a: number for a, number in wrong.items() if now.aliases.get(a) != number}
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
    user = os.environ.get("MLFLOW_TRACKING_USERNAME") or lineage.environment(None)["mlflow.user"]
    return f"{user}@{lineage.process()['process.host']}"
