"""Make a version champion by hand, recorded: promote one, or go back to the one before.

digits promote 4 --reason "..."
digits rollback
"""

import tempfile
from pathlib import Path

from stages.lib.errors import UserError
from stages.lib.tracking import aliases, fetch, ledger, resolve
from stages.lib.tracking.aliases import Standing
from stages.lib.tracking.entry import CHALLENGER, CHAMPION
from stages.lib.tracking.store import Store
from stages.lib.tracking.version import Version


def promote(reference: str, reason: str) -> str:
    """Make the version that `reference` names champion; what was done, as a sentence.

    Raises UserError, and changes nothing, when there is no such version, when it is champion
    already or does not verify, when the record was tampered with or the registry is away.
    """
    why = ledger.reason(reason)
    where = resolve.source()
    version = resolve.version(reference, where)
    now = _standing(where, version.name)
    if now.aliases.get(CHAMPION) != version.number:
        return _moved(now, version, "promote", why)
    if now.record.state(CHAMPION) == version.number:
        found = f"{version.name} version {version.number} is champion already"
        raise UserError(f"{found}; nothing was changed")
    with resolve.asking(where):
        aliases.adopt(now, why)
    return f"{version.name} version {version.number} was champion already, now it is recorded"


def rollback(reason: str) -> str:
    """Make the champion before the present one champion again; what was done, as a sentence.

    Each rollback goes one champion further back and never to a version that was rolled back
    from: that one is known to be bad, and `promote` is the way to return to it. Raises
    UserError as `promote` does, and when there was no champion before.
    """
    why, where = ledger.reason(reason), resolve.source()
    now = _standing(where, resolve.model_name())
    champion = now.aliases.get(CHAMPION)
    if champion is None:
        raise UserError(f"{now.name} has no champion to go back from; nothing was changed")
    number = now.record.before(champion)
    if number is None:
        raise UserError(f"no version was champion before version {champion}; nothing was changed")
    return _moved(now, resolve.version(str(number), where), "rollback", why)


def _standing(where: Store, name: str) -> Standing:
    """How the model stands. UserError when the record was tampered with."""
    with resolve.asking(where):
        now = aliases.standing(where, name)
    aliases.whole(now)
    return now


def _moved(now: Standing, version: Version, action: str, why: str) -> str:
    """Make `version` champion after its files were fetched from the registry and checked."""
    with tempfile.TemporaryDirectory() as scratch, resolve.asking(now.store):
        fetch.download(version, Path(scratch))
    moves: dict[str, int | None] = {CHAMPION: version.number}
    if now.aliases.get(CHALLENGER) == version.number:
        moves[CHALLENGER] = None
    with resolve.asking(now.store):
        entry = aliases.change(now, moves, action=action, why=why)
    assert entry is not None  # the champion moves
    before = now.aliases.get(CHAMPION)
    left = "there was none" if before is None else f"version {before} was"
    return f"{now.name} version {version.number} is champion, {left}; entry {entry.number}"
