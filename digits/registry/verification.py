"""Compare every registered version, and all that DVC tracks, with their recorded hashes."""

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path

from digits.inference import checkout_model, model_integrity
from digits.project import dvc_storage, workspace
from digits.project.dvc_storage import DvcStorage, NoResponseError, ObjectNotFoundError
from digits.project.errors import DiskError, UserError
from digits.project.progress_bar import ProgressBar
from digits.registry import alias_moves, registration, version_download, version_lookup
from digits.registry.model_version import REMOVED_TAG, RegisteredVersion
from digits.tracking import metric_names, run_lookup
from digits.tracking.tracking_store import StoreUnavailableError, translate_errors

NEXT_STEPS = "`dvc push --all-commits` sends all commits, `dvc exp push origin NAME` an experiment"
NO_BACKUP = (
    "no remote holds anything: `dvc push` fills the one in .dvc/config, `dvc remote` adds more"
)
NOT_ASKED = "what is unknown could not be asked: try again later, or correct address and password"
LOST = "parts of it are neither in DVC's cache nor in a remote"
PENDING_ERRORS = (ObjectNotFoundError, NoResponseError, StoreUnavailableError)
MAX_ROUNDING = 1e-4  # between a score in a file and in a run
Check = Callable[[], str]  # returns a remark on something intact; raises a UserError otherwise


class CheckState(IntEnum):
    """Result of one check. The largest value is the exit status of `digits verify`."""

    OK = 0
    NOT_PUSHED = 1
    BROKEN = 2

    @property
    def word(self) -> str:
        """The state as people read it, such as "not pushed"."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class CheckResult:
    """What was checked, its state, and what is wrong with it."""

    what: str
    state: CheckState
    details: str = ""
    unknown: bool = False  # because a remote or the registry does not answer

    @property
    def word(self) -> str:
        """The state in a word or two, such as "not pushed" or "missing"."""
        words = {NO_BACKUP: "none yet", LOST: "missing"}
        return "unknown" if self.unknown else words.get(self.details, self.state.word)


def verify_all() -> list[CheckResult]:
    """Check all versions, what dvc.lock names, and the model in the checkout's models/digits.

    Every byte in the registry, the cache and the remotes is read; outside of a checkout, the
    versions alone. Raises UserError when the registry does not answer.
    """
    store, name = version_lookup.open_registry(), version_lookup.registered_model_name()
    with translate_errors(store):
        versions = registration.list_versions(store, name)
        log = alias_moves.alias_state(store, name).log
    checks: dict[str, Check] = {
        f"version {number}": _raise_absent
        for number in sorted(log.numbers - {v.number for v in versions})
    }
    root = workspace.find_state_root()
    with dvc_storage.open_storage() if root else nullcontext() as storage:
        for version in versions:
            what = " ".join([f"version {version.number}", *version.aliases])
            checks[what] = partial(_check_version, version, storage, log.removed)
        if storage:
            objects = storage.outputs().items()
            checks |= {path: partial(_check_object, oid, storage) for path, oid in objects}
        if root and (root / workspace.MODEL_OUTPUT).exists():
            checks[f"{workspace.MODEL_OUTPUT} in this checkout"] = _check_model_output
        progress, results = ProgressBar(len(checks), "objects"), []
        for what, check in checks.items():
            results.append(_run_check(what, check))
            progress.update(len(results))
        progress.clear()
        if root and (process := checkout_model.training_process(root)):
            note = f"process {process} trains a new one now"
            results.append(CheckResult(workspace.MODEL_OUTPUT, CheckState.OK, note))
        is_pending = any(result.state is CheckState.NOT_PUSHED for result in results)
        if storage and not storage.is_backed_up and not is_pending:
            results.append(CheckResult("back-up", CheckState.OK, NO_BACKUP))
    return results


def _run_check(what: str, check: Check) -> CheckResult:
    try:
        return CheckResult(what, CheckState.OK, check())
    except DiskError:
        raise
    except UserError as error:
        state = CheckState.NOT_PUSHED if isinstance(error, PENDING_ERRORS) else CheckState.BROKEN
        unknown = isinstance(error, NoResponseError | StoreUnavailableError)
        return CheckResult(what, state, str(error), unknown)


def _raise_absent() -> str:
    raise UserError("the alias log names it, and the registry does not have it; it was deleted")


def _check_scores(version: RegisteredVersion) -> None:
    """Raise UserError if a score in a version's tags is not that of the run that made it."""
    run = run_lookup.find_in_store(version.store, version.run_id) if version.run_id else None
    if run is None:
        return
    metrics = run.store.client.get_run(run.run_id).data.metrics
    for tag in ("validation_accuracy", "test_accuracy"):
        of_run = metric_names.read_metric(metrics, tag.replace("_", "/"))
        if of_run is None or tag not in version.tags:
            continue
        of_tag = version.metric(tag)
        if of_tag is None or abs(of_tag - of_run) > MAX_ROUNDING:
            found = f"its tag {tag} is {version.tags[tag][:20]!r}, its run has {of_run:.4f}"
            raise UserError(f"{found}; somebody changed one of them")


def _check_version(
    version: RegisteredVersion, storage: DvcStorage | None, removed: set[int]
) -> str:
    """Check a version; `removed` are those that lost their files by the alias log."""
    note = version.tags.get(REMOVED_TAG)
    if note is not None and version.number in removed:
        return f"has no files: {note}"
    if note is not None:
        raise UserError(f"its tag says that it has no files ({note}); the alias log does not")
    version_download.check_is_first_version(version)
    with tempfile.TemporaryDirectory() as scratch, translate_errors(version.store):
        _check_scores(version)
        folder = Path(scratch)
        version_download.download_to_folder(version, folder)
        oid = dvc_storage.folder_object_id(folder)
        version_download.check_mlmodel_file(version, folder)
    return _check_object(oid, storage) if storage else ""


def _check_object(oid: str, storage: DvcStorage) -> str:
    """Check that no copy of an object is damaged, and that one remote has all of it.

    Before the first `dvc push`, the cache has to have it.
    """
    oids = storage.members(oid)
    intact = [store.intact_objects(oids) for store in (storage.cache, *storage.remotes)]
    is_lost = set().union(*intact) < oids
    if is_lost or (storage.is_backed_up and oids not in intact[1:]):
        raise storage.unreachable or ObjectNotFoundError(LOST if is_lost else "is in no remote")
    return ""


def _check_model_output() -> str:
    model_integrity.check_model(workspace.state_root() / workspace.MODEL_OUTPUT)
    return ""


def format_results(results: list[CheckResult]) -> str:
    """Format the results as lines, with their counts and what to do."""
    width = max((len(result.what) for result in results), default=0)
    lines = [f"{r.what:{width}}  {r.word:10}  {r.details}".rstrip() for r in results]
    states = [result.state for result in results if not result.unknown]
    counts = ", ".join(f"{states.count(s)} {s.word}" for s in reversed(CheckState))
    advice = [NEXT_STEPS] if CheckState.NOT_PUSHED in states else []
    if unknown := len(results) - len(states):
        counts, advice = f"{counts}, {unknown} unknown", [*advice, NOT_ASKED]
    return "\n".join([*lines, f"{len(results)} looked at: {counts}", *advice])
