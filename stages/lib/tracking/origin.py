"""From a model, a version, a run or a commit to the other three."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib import files, integrity, tracked
from stages.lib.tracking import address, fetch, find, registry, resolve, subject
from stages.lib.tracking.lineage import NO_COMMIT
from stages.lib.tracking.registry import MADE_BY
from stages.lib.tracking.removal import REMOVED
from stages.lib.tracking.resolve import RUN_ID, UnknownError
from stages.lib.tracking.store import OutageError, Store, asking
from stages.lib.tracking.version import DVC_OID, Version

if TYPE_CHECKING:
    from mlflow.entities import Run

INPUT = "input."  # and a path: the tag with its SHA-256


def trace(name: str) -> dict[str, dict[str, Any]]:
    """Where the model that `name` means comes from, and where it went, as JSON.

    `name` is a file or folder of a model, a run id, a version, an alias or a git revision.
    Where nothing is known, a part is empty. Raises UserError when it is none of them, or a
    model that was changed.
    """
    content, run_id, version = _start(name)
    version = version or _version(content)
    run = find.run(run_id)
    recorded = run.store.client.get_run(run.run_id) if run else None
    tags = {**(version.tags if version else {}), **(recorded.data.tags if recorded else {})}
    folders = _folders(content)
    places = [folder.relative_to(files.home()).as_posix() for folder in folders]
    return {
        "model": {"content_sha256": content, "folders": places},
        "version": _told(version) if version else {},
        "run": _run(recorded, run.store) if run and recorded else {"id": run_id},
        "commit": _commit(tags, folders),
        "data": _part(tags, INPUT),
        "params": recorded.data.params if recorded else {},
        "tuning": _part(tags, "tune."),
        "machine": _part(tags, "env."),
    }


def _start(name: str) -> tuple[str, str, Version | None]:
    """Content hash (empty: unknown), run id and, if it is known already, version."""
    if Path(name).exists():
        return _described(subject.find(name).manifest)
    try:
        version = resolve.version(name)
    except (UnknownError, OutageError) as error:
        if RUN_ID.fullmatch(name) and find.run(name):
            return "", name, None
        return _described(subject.committed_or(name, error).manifest)
    return version.content_sha256, version.run_id, version


def _described(manifest: integrity.Manifest) -> tuple[str, str, None]:
    return str(manifest["content_sha256"]), str(manifest["run_id"]), None


def _version(content: str) -> Version | None:
    """The version with these bytes. None also when the registry does not answer."""
    try:
        where = resolve.source()
        with asking(where):
            return registry.find_in(where, resolve.model_name(), content)
    except OutageError as error:
        address.warn(str(error))
    return None


def _told(version: Version) -> dict[str, Any]:
    return {
        "name": version.name,
        "number": version.number,
        "aliases": list(version.aliases),
        "files_removed": version.tags.get(REMOVED, ""),
        "registered": version.created.isoformat(timespec="seconds"),
        "runs": sorted(k.removeprefix(MADE_BY) for k in version.tags if k.startswith(MADE_BY)),
    }


def _part(tags: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {k.removeprefix(prefix): v for k, v in sorted(tags.items()) if k.startswith(prefix)}


def _run(recorded: "Run", where: Store) -> dict[str, Any]:
    started = datetime.fromtimestamp(recorded.info.start_time / 1000, UTC)
    return {
        "id": recorded.info.run_id,
        "name": recorded.info.run_name,
        "status": recorded.info.status,
        "started": started.isoformat(timespec="seconds"),
        "store": str(where),
        "experiment": recorded.data.tags.get("dvc.experiment", ""),
    }


def _commit(tags: Mapping[str, str], folders: list[Path]) -> dict[str, Any]:
    """The commit that was trained from, and whether it lacks some of what was trained.

    Also those whose dvc.lock brought the model, oldest last.
    """
    oids = {tracked.folder_oid(folder) for folder in folders}
    if DVC_OID in tags:
        oids.add(tags[DVC_OID])  # of a model that is in no folder here
    return {
        "id": tags.get("git.commit", NO_COMMIT),
        "branch": tags.get("git.branch", ""),
        "dirty": tags.get("git.dirty") == "true",
        "committed_in": [commit for oid in oids for commit in tracked.introducing(oid)],
    }


def _folders(content: str) -> list[Path]:
    """Where whole copies of the model lie: as the pipeline's output, pulled, or else kept."""
    models = files.home() / "models"
    places = [files.home() / subject.MODEL, *sorted((models / "pulled").glob("*"))]
    found = [folder for folder in places if integrity.intact(folder, content)]
    kept = fetch.kept(content)
    return found or ([kept] if integrity.intact(kept, content) else [])
