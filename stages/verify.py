"""Hold every registered version, and all that DVC tracks, against what was written down."""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from stages.lib import files, integrity, tracked
from stages.lib.errors import UserError
from stages.lib.tracked import AbsentError, Output, Place, SilentError, Storage
from stages.lib.tracking import aliases, fetch, pushed, registry, resolve, subject
from stages.lib.tracking.removal import REMOVED
from stages.lib.tracking.resolve import UnreachableError
from stages.lib.tracking.version import Version

Item = Version | Output | Path


class State(IntEnum):
    """How something is; the worst of all is the exit status of `digits verify`."""

    OK = 0
    NOT_PUSHED = 1
    BROKEN = 2


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what is wrong with it."""

    what: str
    state: State
    details: str = ""


def verify(watch: Callable[[list[Item]], Iterable[Item]]) -> list[Finding]:
    """Look at all versions, at what dvc.lock names, and at the model as it lies here.

    Every byte in the registry, the cache and the remotes is read. `watch` passes the list
    through and shows how far it is. Raises UserError when the registry does not answer.
    """
    where, name = resolve.source(), resolve.model_name()
    with resolve.asking(where):
        versions = registry.all_in(where, name)
        removed = aliases.standing(where, name).record.removed
    model = files.home() / subject.MODEL
    with tracked.storage() as storage:
        outputs = storage.outputs(None)
        items: list[Item] = [*versions, *outputs, *([model] if model.exists() else [])]
        return [_look(item, storage, removed) for item in watch(items)]


def _look(item: Item, storage: Storage, removed: set[int]) -> Finding:
    """The finding about one item; `removed` are the versions that the record calls pruned."""
    if isinstance(item, Version):
        name = " ".join([f"version {item.number}", *item.aliases])
        if REMOVED in item.tags:
            return _pruned(name, item.tags[REMOVED], recorded=item.number in removed)
        return _finding(name, lambda: _version(item, storage))
    if isinstance(item, Output):
        return _finding(item.path, lambda: _output(item, storage))
    name = item.relative_to(files.home()).as_posix()
    return _finding(f"{name} as it lies here", lambda: bool(integrity.check(item)))


def _pruned(what: str, note: str, *, recorded: bool) -> Finding:
    """A version without files: nothing is wrong if the record, which is checked, says so, too."""
    if recorded:
        return Finding(what, State.OK, f"has no files: {note}")
    return Finding(what, State.BROKEN, f"is said to have no files ({note}); no record of that")


def _finding(what: str, is_pushed: Callable[[], bool]) -> Finding:
    try:
        if is_pushed():
            return Finding(what, State.OK)
        return Finding(what, State.NOT_PUSHED, "is in no remote")
    except (AbsentError, SilentError, UnreachableError) as error:
        return Finding(what, State.NOT_PUSHED, str(error))
    except UserError as error:
        return Finding(what, State.BROKEN, str(error))


def _version(version: Version, storage: Storage) -> bool:
    """Whether a version's files are in a remote. UserError when they are not what they were."""
    fetch.check_first(version)
    with tempfile.TemporaryDirectory() as scratch, resolve.asking(version.store):
        folder = Path(scratch)
        fetch.download(version, folder)
        oid = tracked.folder_oid(folder)
        fetch.check_wrapper(version, folder)
    return storage.pushed(oid)


def _output(output: Output, storage: Storage) -> bool:
    """Whether one remote has a whole output. UserError when any copy of it was changed."""
    oids = {output.oid, *storage.members(output.oid).values()}
    found = {place.name: _whole(place, oids) for place in (storage.cache, *storage.remotes)}
    if set().union(*found.values()) < oids:
        raise AbsentError("parts of it are neither in DVC's cache nor in a remote")
    return any(found[remote.name] == oids for remote in storage.remotes)


def _whole(place: Place, oids: set[str]) -> set[str]:
    """The objects that a place has. Raises DamagedError when the bytes of one are others."""
    present = {oid for oid in oids if place.has(oid)}
    with tempfile.TemporaryDirectory() as scratch:
        for oid in sorted(present):
            place.copy(oid, Path(scratch) / "object")
    return present


def show(findings: list[Finding]) -> State:
    """Print what was found and what to do; the worst state."""
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        word = finding.state.name.lower().replace("_", " ")
        print(f"{finding.what:{width}}  {word:10}  {finding.details}".rstrip())
    worst = max(finding.state for finding in findings)
    counts = {state: sum(finding.state == state for finding in findings) for state in State}
    print(
        f"{len(findings)} looked at: {counts[State.BROKEN]} broken, "
        f"{counts[State.NOT_PUSHED]} not pushed, {counts[State.OK]} ok"
    )
    if counts[State.NOT_PUSHED]:
        print(pushed.ADVICE)
    return worst
