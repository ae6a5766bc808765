"""Hold every registered version, and all that DVC tracks, against what was written down."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path

from stages.lib import files, integrity, tracked
from stages.lib.errors import UserError
from stages.lib.progress import Progress
from stages.lib.tracked import AbsentError, SilentError, Storage
from stages.lib.tracking import aliases, fetch, registry, resolve, store, subject
from stages.lib.tracking.removal import REMOVED
from stages.lib.tracking.store import OutageError
from stages.lib.tracking.version import Version

ADVICE = (
    "`dvc push --all-commits` sends what dvc.lock names, now and in every commit,"
    " `dvc exp push origin NAME` an experiment's"
)
Look = Callable[[], str]  # what is said of something whole; raises a UserError otherwise


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


def verify() -> list[Finding]:
    """Look at all versions, at what dvc.lock names, and at the model as it lies here.

    Every byte in the registry, the cache and the remotes is read. Raises UserError when the
    registry does not answer.
    """
    where, name = resolve.source(), resolve.model_name()
    with store.asking(where):
        versions = registry.all_in(where, name)
        removed = aliases.standing(where, name).record.removed
    with tracked.storage() as storage:
        looks: dict[str, Look] = {}
        for version in versions:
            what = " ".join([f"version {version.number}", *version.aliases])
            looks[what] = partial(_version, version, storage, removed)
        looks |= {path: partial(_kept, oid, storage) for path, oid in storage.outputs().items()}
        if (files.home() / subject.MODEL).exists():
            looks[f"{subject.MODEL} as it lies here"] = _here
        return list(_watched(looks))


def _watched(looks: dict[str, Look]) -> Iterator[Finding]:
    progress = Progress(len(looks), "objects")
    for done, (what, look) in enumerate(looks.items(), 1):
        yield _finding(what, look)
        progress.tell(done)
    progress.clear()


def _finding(what: str, look: Look) -> Finding:
    try:
        return Finding(what, State.OK, look())
    except (AbsentError, SilentError, OutageError) as error:
        return Finding(what, State.NOT_PUSHED, str(error))
    except UserError as error:
        return Finding(what, State.BROKEN, str(error))


def _version(version: Version, storage: Storage, removed: set[int]) -> str:
    """Look at a version; what is said of a pruned one. `removed` are those of the record."""
    note = version.tags.get(REMOVED)
    if note is not None and version.number in removed:
        return f"has no files: {note}"
    if note is not None:
        raise UserError(f"is said to have no files ({note}); no record of that")
    fetch.check_first(version)
    with tempfile.TemporaryDirectory() as scratch, store.asking(version.store):
        folder = Path(scratch)
        fetch.download(version, folder)
        oid = tracked.folder_oid(folder)
        fetch.check_wrapper(version, folder)
    return _kept(oid, storage)


def _kept(oid: str, storage: Storage) -> str:
    """Look at an object wherever it is. No damaged copy, and one remote has all of it."""
    oids = storage.members(oid)
    found = [place.whole(oids) for place in (storage.cache, *storage.remotes)]
    if oids not in found[1:]:
        nowhere = set().union(*found) < oids
        told = "parts of it are neither in DVC's cache nor in a remote"
        told = told if nowhere else "is in no remote"
        raise storage.silent or AbsentError(told)
    return ""


def _here() -> str:
    """Look at the model as it lies here."""
    integrity.check(files.home() / subject.MODEL)
    return ""


def summary(findings: list[Finding]) -> str:
    """What was found and what to do, as lines of text."""
    width = max((len(finding.what) for finding in findings), default=0)
    words = {state: state.name.lower().replace("_", " ") for state in State}
    lines = [f"{f.what:{width}}  {words[f.state]:10}  {f.details}".rstrip() for f in findings]
    states = [finding.state for finding in findings]
    counts = ", ".join(f"{states.count(s)} {words[s]}" for s in reversed(State))
    advice = [ADVICE] if State.NOT_PUSHED in states else []
    return "\n".join([*lines, f"{len(findings)} looked at: {counts}", *advice])
