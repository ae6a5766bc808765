"""Remove the files of old versions that nobody needs, after showing which.

A version stays whole while it is among the newest, has an alias, was ever champion, or
is named by a git tag: the tag's commit is the one it was trained from, or the
metrics/register.json of that commit names it.
"""

import json
import sys
from typing import Any

from stages.lib import files, table, tracked
from stages.lib.errors import UserError
from stages.lib.tracking import aliases, registry, removal, resolve
from stages.lib.tracking.aliases import Standing
from stages.lib.tracking.entry import written
from stages.lib.tracking.store import asking
from stages.lib.tracking.version import Version

BATCH = 500  # versions that one entry of the record names
REGISTRATION = "metrics/register.json"
LISTING = "%(refname:short) %(*objectname) %(objectname)"  # of a tag object its commit first


def prune(keep: int, *, yes: bool) -> str:
    """Remove the files of all versions but the newest `keep` and the protected; what was done.

    Asks on a terminal unless `yes`. Raises UserError, and removes nothing, when nobody can
    be asked, the record of aliases was tampered with or the registry does not answer.
    """
    where, name, named = resolve.source(), resolve.model_name(), named_by_tags()
    with asking(where):
        now = aliases.standing(where, name)
        aliases.whole(now)
        versions = registry.all_in(where, name)
        old = [v for v in versions[keep:] if removal.REMOVED not in v.tags]
        reasons = {v.number: _protection(v, now, named) for v in old}
        goes = [v for v in old if reasons[v.number] is None]
    if not old:
        return f"nothing to remove: {name} has {len(versions)} version(s), {keep} are kept"
    rows = [_row(v, reasons[v.number]) for v in old]
    print(table.aligned(["version", "registered (UTC)", ""], rows, left=(0, 2)))
    if not goes:
        return "nothing to remove"
    _confirm(f"{len(goes)} version(s)", yes=yes)
    return _remove(now, goes, f"digits prune --keep {keep}")


def _row(version: Version, reason: str | None) -> list[str]:
    what = "goes" if reason is None else f"stays: {reason}"
    return [str(version.number), f"{version.created:%Y-%m-%d %H:%M}", what]


def _protection(version: Version, now: Standing, named: dict[str, str]) -> str | None:
    """Why the files of `version` stay; None when they may go."""
    model = removal.model_id(version)
    ours = (version.commit, version.content_sha256, f"{version.name} {version.number}")
    tag = next((named[name] for name in ours if name in named), None)
    reasons = {
        f"it is {', '.join(version.aliases)}": bool(version.aliases),
        "it was champion": version.number in now.record.champions,
        "this project did not make it": model is None,
        "another version has the same files": model is not None and removal.shared(version, model),
        f"git tag {tag} names it": tag is not None,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def named_by_tags() -> dict[str, str]:
    """The git tags of this checkout by what they name; nothing where there is no git.

    That is a commit, a content hash, or a model's name and a version's number. Raises
    UserError when there is a repository that git cannot read.
    """
    folder = files.home()
    if not any((place / ".git").exists() for place in (folder, *folder.parents)):
        return {}
    named: dict[str, str] = {}
    listed = tracked.git("for-each-ref", "refs/tags", f"--format={LISTING}", strict=True)
    for tag, commit, *_ in map(str.split, listed.splitlines()):
        entry = _entry(tracked.git("show", f"{commit}:./{REGISTRATION}"))
        names = (commit, entry.get("content_sha256"), f"{entry.get('name')} {entry.get('version')}")
        named |= {str(name): tag for name in names}
    return named


def _entry(text: str) -> dict[str, Any]:
    """What a registration says; nothing where it is none."""
    try:
        entry = json.loads(text)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _confirm(total: str, *, yes: bool) -> None:
    """Raise UserError unless a person agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{total} would go; nothing was removed, --yes removes them")
    print(f"remove the files of {total} for good? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UserError("nothing was removed")


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
