"""Give a version the alias that the gate's decision, or a person, gives it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from stages.lib.errors import UserError
from stages.lib.gate import Decision
from stages.lib.tracking import aliases, fetch, registry, resolve
from stages.lib.tracking.aliases import OvertakenError, Standing
from stages.lib.tracking.entry import CHAMPION, reason
from stages.lib.tracking.store import asking
from stages.lib.tracking.version import Version

ROUNDS = 5  # of deciding anew because somebody else changed the champion meanwhile

Decide = Callable[[Version, Version | None, Standing], Decision]


def promote(version: Version, decide: Decide) -> Decision:
    """Give `version` the alias that `decide` says against the champion of its own store.

    `decide` gets the version, the champion and how the model stands; what it says is kept
    as tags of the version. Raises UserError when the store fails.
    """
    for _ in range(ROUNDS):
        with asking(version.store):
            now = aliases.standing(version.store, version.name)
            best = registry.champion(version.store, version.name)
        decision = decide(version, best, now)
        try:
            with asking(version.store):
                _carry_out(version, decision, now)
            return decision
        except OvertakenError as error:
            last = error
    raise last


def _carry_out(version: Version, decision: Decision, seen: Standing) -> None:
    """Keep the decision with the version, then move aliases."""
    registry.tag(version, decision.tags)
    moves: dict[str, int | None] = {decision.alias: version.number} if decision.alias else {}
    if decision.alias == CHAMPION:
        moves = seen.crowning(version.number)
    aliases.change(seen, moves, action="register", why=decision.why, gate=decision.record)


def alias(version: Version) -> str:
    """The alias that `version` has now: champion before challenger, or "none"."""
    with asking(version.store):
        held = aliases.standing(version.store, version.name).aliases
    return next((name for name in aliases.RECORDED if held.get(name) == version.number), "none")


def by_hand(reference: str, why: str) -> str:
    """Make the version that `reference` names champion; what was done, as a sentence.

    Raises UserError, and changes nothing, when there is no such version, when it is champion
    already or does not verify, when the record is not whole or the registry is away.
    """
    why, now = reason(why), _standing()
    return _moved(now, resolve.version(reference, now.store), "promote", why)


def rollback(why: str) -> str:
    """Make the champion before the present one champion again; what was done, as a sentence.

    Each rollback goes one champion further back and never to a version that was rolled back
    from: that one is known to be bad, and `promote` is the way to return to it. Raises
    UserError as `by_hand` does, and when there was no champion before.
    """
    why, now = reason(why), _standing()
    champion = now.aliases.get(CHAMPION)
    if champion is None:
        raise UserError(f"{now.name} has no champion to go back from; nothing was changed")
    last = now.cut_off({CHAMPION: champion})
    finished = last is not None and last.action == "rollback"
    number = champion if finished else now.record.before(champion)
    if number is None:
        raise UserError(f"no version was champion before version {champion}; nothing was changed")
    return _moved(now, resolve.version(str(number), now.store), "rollback", why)


def _standing() -> Standing:
    """How the model stands. UserError when its record is not whole."""
    now = aliases.current()
    aliases.whole(now)
    return now


def _moved(now: Standing, version: Version, action: str, why: str) -> str:
    """Make `version` champion after its files were fetched from the registry and checked."""
    with tempfile.TemporaryDirectory() as scratch, asking(now.store):
        fetch.download(version, Path(scratch))
        entry = aliases.change(now, now.crowning(version.number), action=action, why=why)
    name = f"{now.name} version {version.number} is champion"
    if entry is None:
        raise UserError(f"{name} already; nothing was changed")
    before = entry.moves.get(CHAMPION, (version.number, None))[0]
    left = "there was none" if before is None else f"version {before} was"
    ending = ", which had been cut off, is complete now" if entry in now.record.entries else ""
    return f"{name}, {left}; entry {entry.number}{ending}"
