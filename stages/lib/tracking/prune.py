"""Remove the files of old versions that nobody needs, after showing which.

A version stays whole while it is among the newest, has an alias, was ever champion, or is the
model in the dvc.lock of a git tag.
"""

import sys

from stages.lib import files, table, tracked
from stages.lib.errors import UserError
from stages.lib.tracking import aliases, registry, removal
from stages.lib.tracking.aliases import Standing
from stages.lib.tracking.entry import written
from stages.lib.tracking.store import asking
from stages.lib.tracking.version import DVC_OID, UNSENT, Version

GOES = "goes"
BATCH = 500  # versions that one entry of the record names


def prune(keep: int, *, yes: bool) -> str:
    """Remove the files of all versions but the newest `keep` and the protected; what was done.

    Asks on a terminal unless `yes`. Raises UserError, and removes nothing, when nobody can
    be asked, the record of aliases was tampered with or the registry does not answer.
    """
    now, locks = aliases.current(), tagged()
    aliases.whole(now)
    with asking(now.store):
        versions = registry.all_in(now.store, now.name)
        old = [v for v in versions[keep:] if removal.REMOVED not in v.tags]
        fates = {v.number: _fate(v, now, locks) for v in old}
    if not old:
        return f"nothing to remove: {now.name} has {len(versions)} version(s), {keep} are kept"
    rows = [[str(v.number), f"{v.created:%Y-%m-%d %H:%M}", fates[v.number]] for v in old]
    print(table.aligned(["version", "registered (UTC)", ""], rows, left=(0, 2)))
    goes = [v for v in old if fates[v.number] == GOES]
    if not goes:
        return "nothing to remove"
    if not yes and not _agreed(len(goes)):
        raise UserError(f"{len(goes)} version(s) would go; nothing was removed, --yes removes them")
    return _remove(now, goes, f"digits prune --keep {keep}")


def _fate(version: Version, now: Standing, locks: dict[str, str]) -> str:
    """Why the files of `version` stay; GOES when they may be removed."""
    model = removal.model_id(version)
    oid = version.tags.get(DVC_OID, "")  # of a very old one nobody knows: any tag keeps it
    tag = next((tag for tag, lock in locks.items() if oid in lock), None)
    reasons = {
        f"it is {', '.join(version.aliases)}": bool(version.aliases),
        "it was champion": version.number in now.record.champions,
        "version 1 kept it for a server": version.tags.get(UNSENT) == "true",
        "this project did not make it": model is None,
        "another version has the same files": model is not None and removal.shared(version, model),
        f"git tag {tag} names it": tag is not None,
    }
    return next((f"stays: {reason}" for reason, holds in reasons.items() if holds), GOES)


def tagged() -> dict[str, str]:
    """The dvc.lock of each git tag of this checkout; nothing where there is no git.

    Raises UserError when there is a repository that git cannot read.
    """
    folder = files.home()
    if not any((place / ".git").exists() for place in (folder, *folder.parents)):
        return {}
    tags = tracked.git("tag", strict=True).split()
    return {tag: tracked.git("show", f"{tag}:./dvc.lock") for tag in tags}


def _agreed(count: int) -> bool:
    """Whether there is a person at a terminal who agrees."""
    if not sys.stdin.isatty():
        return False
    print(f"remove the files of {count} version(s) for good? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _remove(now: Standing, goes: list[Version], why: str) -> str:
    """Record what goes, then remove it, unless it got an alias meanwhile."""
    removed = 0
    for i in range(0, len(goes), BATCH):
        batch = goes[i : i + BATCH]
        numbers = [v.number for v in batch]
        with asking(now.store):
            entry = aliases.change(now, {}, action="prune", why=why, removes=numbers)
            assert entry is not None  # it removes something
            note = f"{written(entry.when)} UTC by {entry.who}, {why}"
            removed += sum(removal.remove(v, str(removal.model_id(v)), note) for v in batch)
    return f"removed the files of {removed} version(s); their entries stay"
