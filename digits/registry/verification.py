"""Hold every registered version, and all that DVC tracks, against what was written down."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path

from digits.inference import model_integrity
from digits.project import dvc_storage, workspace
from digits.project.dvc_storage import DvcStorage, NoResponseError, ObjectNotFoundError
from digits.project.errors import UserError
from digits.project.progress_bar import ProgressBar
from digits.registry import (
    alias_moves,
    registration,
    version_download,
    version_lookup,
)
from digits.registry.artifact_removal import REMOVED_TAG
from digits.registry.model_version import RegisteredVersion
from digits.tracking import tracking_store
from digits.tracking.tracking_store import StoreUnavailableError

NEXT_STEPS = (
    "`dvc push --all-commits` sends what dvc.lock names, now and in every commit,"
    " `dvc exp push origin NAME` an experiment's"
)
Check = Callable[[], str]  # what is said of something whole; raises a UserError otherwise


class CheckState(IntEnum):
    """How something is; the worst of all is the exit status of `digits verify`."""

    OK = 0
    NOT_PUSHED = 1
    BROKEN = 2


@dataclass(frozen=True)
class CheckResult:
    """What was looked at, how it is, and what is wrong with it."""

    what: str
    state: CheckState
    details: str = ""


def verify_all() -> list[CheckResult]:
    """Look at all versions, at what dvc.lock names, and at the model as it lies here.

    Every byte in the registry, the cache and the remotes is read. Raises UserError when the
    registry does not answer.
    """
    where, name = version_lookup.registry_store(), version_lookup.registered_model_name()
    with tracking_store.translate_errors(where):
        versions = registration.list_versions(where, name)
        removed = alias_moves.alias_state(where, name).log.removed
    with dvc_storage.open_storage() as storage:
        looks: dict[str, Check] = {}
        for version in versions:
            what = " ".join([f"version {version.number}", *version.aliases])
            looks[what] = partial(_check_version, version, storage, removed)
        looks |= {
            path: partial(_check_object, oid, storage) for path, oid in storage.outputs().items()
        }
        if (workspace.state_root() / workspace.MODEL_OUTPUT).exists():
            looks[f"{workspace.MODEL_OUTPUT} as it lies here"] = _check_model_output
        return list(_run_checks(looks))


def _run_checks(looks: dict[str, Check]) -> Iterator[CheckResult]:
    progress = ProgressBar(len(looks), "objects")
    for done, (what, look) in enumerate(looks.items(), 1):
        yield _run_check(what, look)
        progress.update(done)
    progress.clear()


def _run_check(what: str, look: Check) -> CheckResult:
    try:
        return CheckResult(what, CheckState.OK, look())
    except (ObjectNotFoundError, NoResponseError, StoreUnavailableError) as error:
        return CheckResult(what, CheckState.NOT_PUSHED, str(error))
    except UserError as error:
        return CheckResult(what, CheckState.BROKEN, str(error))


def _check_version(version: RegisteredVersion, storage: DvcStorage, removed: set[int]) -> str:
    """Look at a version; what is said of a pruned one. `removed` are those of the record."""
    note = version.tags.get(REMOVED_TAG)
    if note is not None and version.number in removed:
        return f"has no files: {note}"
    if note is not None:
        raise UserError(f"is said to have no files ({note}); no record of that")
    version_download.check_is_first_version(version)
    with tempfile.TemporaryDirectory() as scratch, tracking_store.translate_errors(version.store):
        folder = Path(scratch)
        version_download.download_version(version, folder)
        oid = dvc_storage.folder_object_id(folder)
        version_download.check_mlmodel_file(version, folder)
    return _check_object(oid, storage)


def _check_object(oid: str, storage: DvcStorage) -> str:
    """Look at an object wherever it is. No damaged copy, and one remote has all of it."""
    oids = storage.members(oid)
    found = [place.intact_objects(oids) for place in (storage.cache, *storage.remotes)]
    if oids not in found[1:]:
        nowhere = set().union(*found) < oids
        told = "parts of it are neither in DVC's cache nor in a remote"
        told = told if nowhere else "is in no remote"
        raise storage.unreachable or ObjectNotFoundError(told)
    return ""


def _check_model_output() -> str:
    """Look at the model as it lies here."""
    model_integrity.check_model(workspace.state_root() / workspace.MODEL_OUTPUT)
    return ""


def format_results(findings: list[CheckResult]) -> str:
    """What was found and what to do, as lines of text."""
    width = max((len(finding.what) for finding in findings), default=0)
    words = {state: state.name.lower().replace("_", " ") for state in CheckState}
    lines = [f"{f.what:{width}}  {words[f.state]:10}  {f.details}".rstrip() for f in findings]
    states = [finding.state for finding in findings]
    counts = ", ".join(f"{states.count(s)} {words[s]}" for s in reversed(CheckState))
    advice = [NEXT_STEPS] if CheckState.NOT_PUSHED in states else []
    return "\n".join([*lines, f"{len(findings)} looked at: {counts}", *advice])
