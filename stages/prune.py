"""Remove the files of old versions that nobody needs, after showing which.

digits prune --keep 10

A version stays whole while it is among the newest, has an alias, was ever champion, waits to
be sent, or is named by a git tag: the tag's commit is the one it was trained from, or the
metrics/register.json of that commit names it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.lib import files, table
from stages.lib.errors import UserError
from stages.lib.tracking import aliases, registry, removal, resolve
from stages.lib.tracking.aliases import Standing
from stages.lib.tracking.entry import written
from stages.lib.tracking.journal import UNSENT
from stages.lib.tracking.version import Version

BATCH = 500  # versions that one entry of the record names
REGISTRATION = "metrics/register.json"
LISTING = "%(refname:short) %(*objectname) %(objectname)"  # of a tag object its commit first


@dataclass(frozen=True)
class Named:
    """Which git tag names a commit, and which a registered version."""

    commits: dict[str, str]
    registered: dict[str, str]

    def tag(self, version: Version) -> str | None:
        """A tag that names `version`; None when none does."""
        ours = (version.content_sha256, f"{version.name} {version.number}")
        by_content = (self.registered[name] for name in ours if name in self.registered)
        return self.commits.get(version.commit) or next(by_content, None)


def prune(keep: int, *, yes: bool) -> str:
    """Remove the files of all versions but the newest `keep` and the protected; what was done.

    Asks on a terminal unless `yes`. Raises UserError, and removes nothing, when nobody can
    be asked, the record of aliases was tampered with or the registry does not answer.
    """
    where, name, named = resolve.source(), resolve.model_name(), named_by_tags(files.home())
    with resolve.asking(where):
        now = aliases.standing(where, name)
        aliases.whole(now)
        versions = registry.all_in(where, name)
        old = [v for v in versions[keep:] if removal.REMOVED not in v.tags]
        reasons = {v.number: _protection(v, now, named) for v in old}
        goes = [v for v in old if reasons[v.number] is None]
        sizes = {v.number: _size(v) for v in goes}
    if not old:
        return f"nothing to remove: {name} has {len(versions)} version(s), {keep} are kept"
    rows = [_row(v, reasons[v.number], sizes) for v in old]
    print(table.aligned(["version", "registered (UTC)", "size", ""], rows, left=(0, 3)))
    total = f"{len(goes)} version(s), {_megabytes(sum(sizes.values()))}"
    if not goes:
        return "nothing to remove"
    _confirm(total, yes=yes)
    return _remove(now, goes, f"digits prune --keep {keep}")


def _row(version: Version, reason: str | None, sizes: dict[int, int]) -> list[str]:
    what = "goes" if reason is None else f"stays: {reason}"
    size = "" if reason is not None else _megabytes(sizes[version.number])
    return [str(version.number), f"{version.created:%Y-%m-%d %H:%M}", size, what]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _size(version: Version) -> int:
    model = removal.model_id(version)
    return removal.size(version, model) if model else 0


def _protection(version: Version, now: Standing, named: Named) -> str | None:
    """Why the files of `version` stay; None when they may go."""
    model = removal.model_id(version)
    reasons = {
        f"it is {', '.join(version.aliases)}": bool(version.aliases),
        "it was champion": version.number in now.record.champions,
        "it waits to be sent": version.tags.get(UNSENT) == "true",
        "this project did not make it": model is None,
        "another version has the same files": model is not None and removal.shared(version, model),
        f"git tag {named.tag(version)} names it": bool(named.tag(version)),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def named_by_tags(folder: Path) -> Named:
    """What the git tags of the checkout in `folder` name; nothing where there is no git.

    Raises UserError when there is a repository that git cannot read.
    """
    if not any((place / ".git").exists() for place in (folder, *folder.parents)):
        return Named({}, {})
    try:
        prefix = _git(folder, "rev-parse", "--show-prefix").decode().strip()
        listed = _git(folder, "for-each-ref", "refs/tags", f"--format={LISTING}").decode()
        tags = {line.split()[1]: line.split()[0] for line in listed.splitlines()}
        asked = "".join(f"{commit}:{prefix}{REGISTRATION}\n" for commit in tags)
        texts = _objects(_git(folder, "cat-file", "--batch", asked=asked))
    except (OSError, subprocess.CalledProcessError) as error:
        message = f"git does not tell which versions its tags name ({error}); nothing was removed"
        raise UserError(message) from error
    entries = [(_entry(text), tag) for text, tag in zip(texts, tags.values(), strict=True)]
    names = {name: tag for entry, tag in entries for name in _names(entry)}
    return Named(tags, names)


def _git(folder: Path, *arguments: str, asked: str = "") -> bytes:
    command = ["git", *arguments]
    given = asked.encode()
    return subprocess.run(command, cwd=folder, input=given, capture_output=True, check=True).stdout


def _objects(batch: bytes) -> Iterator[bytes]:
    """The contents in the output of `git cat-file --batch`; empty where there was none."""
    while batch:
        head, _, batch = batch.partition(b"\n")
        if head.endswith(b" missing"):
            yield b""
            continue
        size = int(head.split()[-1])
        yield batch[:size]
        batch = batch[size + 1 :]


def _entry(text: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(text)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _names(entry: dict[str, Any]) -> set[str]:
    """What a registration calls its version: the hash of its content, and its number."""
    return {str(entry.get("content_sha256")), f"{entry.get('name')} {entry.get('version')}"}


def _confirm(total: str, *, yes: bool) -> None:
    """Raise UserError unless a person agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{total} would go; nothing was removed, --yes removes them")
    try:
        answer = input(f"remove the files of {total} for good? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise UserError("nothing was removed")


def _remove(now: Standing, goes: list[Version], why: str) -> str:
    """Record what goes, then remove it, unless it got an alias meanwhile."""
    removed = 0
    for i in range(0, len(goes), BATCH):
        batch = goes[i : i + BATCH]
        numbers = [v.number for v in batch]
        with resolve.asking(now.store):
            entry = aliases.change(now, {}, action="prune", why=why, removes=numbers)
            assert entry is not None  # it removes something
            note = f"{written(entry.when)} UTC by {entry.who}, {why}"
            removed += sum(removal.remove(v, str(removal.model_id(v)), note) for v in batch)
    return f"removed the files of {removed} version(s); their entries stay"
