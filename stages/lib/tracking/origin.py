"""From a model, a version, a run or a commit to the other three."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stages.lib import files, integrity, revisions, tracked
from stages.lib.errors import UserError
from stages.lib.tracking import address, fetch, find, logged_model, registry, resolve, subject
from stages.lib.tracking.lineage import NO_COMMIT
from stages.lib.tracking.registry import MADE_BY
from stages.lib.tracking.removal import REMOVED
from stages.lib.tracking.resolve import RUN_ID, UnknownError, UnreachableError
from stages.lib.tracking.store import Target
from stages.lib.tracking.version import DVC_OID, Version

DIFF = "source.diff"  # of a run: what its commit lacks
INPUT = "input."  # and a path: the tag with its SHA-256
TUNING = "tune."
MACHINE = "env."


@dataclass(frozen=True)
class Origin:
    """All that is known of one model; a part is empty where nothing is known of it."""

    model: Mapping[str, Any] = field(default_factory=dict)
    version: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    commit: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tuning: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)


def trace(name: str) -> Origin:
    """Where the model that `name` means comes from, and where it went.

    `name` is a file or folder of a model, a run id, a version, an alias or a git revision.
    Raises UserError when it is none of them, or a model that was changed.
    """
    content, run_id, version = _start(name)
    version = version or _version(content, run_id)
    content = content or (version.content_sha256 if version else "")
    run = find.run(run_id)
    tags = {**(version.tags if version else {}), **_tags(run)}
    folders = _folders(content)
    return Origin(
        model={"content_sha256": content, "folders": [_short(f) for f in folders]},
        version=_told(version) if version else {},
        run=_run(run) if run else {"id": run_id},
        commit=_commit(tags, run) | {"committed_in": _committed(version, folders)},
        data=_part(tags, INPUT),
        params=run.store.client.get_run(run.run_id).data.params if run else {},
        tuning=_part(tags, TUNING),
        machine=_part(tags, MACHINE),
    )


def diff(run_id: str) -> str:
    """The uncommitted changes that a run was made with; empty when there were none.

    Raises UserError when they cannot be read.
    """
    run = find.run(run_id)
    if run is None or _tags(run).get("git.dirty") != "true":
        return ""
    uri = run.store.client.get_run(run.run_id).info.artifact_uri
    with tempfile.TemporaryDirectory() as scratch, resolve.asking(run.store):
        return logged_model.fetch(run.store, f"{uri}/{DIFF}", Path(scratch)).read_text()


def _start(name: str) -> tuple[str, str, Version | None]:
    """Content hash (empty: unknown), run id and, if it is known already, version."""
    if Path(name).exists():
        return _described(subject.find(name).manifest)
    try:
        version = resolve.version(name)
    except (UnknownError, UnreachableError) as error:
        if RUN_ID.fullmatch(name) and find.run(name):
            return "", name, None
        return _described(subject.committed_or(name, error).manifest)
    return version.content_sha256, version.run_id, version


def _described(manifest: integrity.Manifest) -> tuple[str, str, None]:
    return str(manifest["content_sha256"]), str(manifest["run_id"]), None


def _version(content: str, run_id: str) -> Version | None:
    """The version with these bytes. None also when the registry does not answer."""
    try:
        where = resolve.source()
        with resolve.asking(where):
            if content:
                return registry.find_in(where, resolve.model_name(), content)
            return resolve.version(run_id, where)
    except UnreachableError as error:
        address.warn(str(error))
    except UnknownError:
        pass
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


def _tags(run: Target | None) -> Mapping[str, str]:
    return run.store.client.get_run(run.run_id).data.tags if run else {}


def _part(tags: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {k.removeprefix(prefix): v for k, v in sorted(tags.items()) if k.startswith(prefix)}


def _run(run: Target) -> dict[str, Any]:
    info = run.store.client.get_run(run.run_id).info
    started = datetime.fromtimestamp(info.start_time / 1000, UTC)
    tags = _tags(run)
    return {
        "id": run.run_id,
        "name": info.run_name,
        "status": info.status,
        "started": started.isoformat(timespec="seconds"),
        "store": str(run.store),
        "experiment": tags.get("dvc.experiment", ""),
    }


def _commit(tags: Mapping[str, str], run: Target | None) -> dict[str, Any]:
    """The commit that was trained from, and what it lacks of what was trained."""
    commit = tags.get("git.commit", NO_COMMIT)
    dirty = tags.get("git.dirty") == "true"
    try:
        text = diff(run.run_id) if dirty and run else ""
    except UserError as error:
        address.warn(str(error))
        text = ""
    return {
        "id": commit,
        "branch": tags.get("git.branch", ""),
        "dirty": dirty,
        "changed_lines": changed_lines(text),
    }


def changed_lines(text: str) -> int:
    """How many lines a diff adds or removes; a file that git does not know counts as one."""
    lines = text.splitlines()
    changed = (x for x in lines if x.startswith(("+", "-")) and not x.startswith(("+++ ", "--- ")))
    return sum(1 for _ in changed) + sum(x.startswith("# not in git: ") for x in lines)


def _folders(content: str) -> list[Path]:
    """Where whole copies of the model lie: as the pipeline's output, pulled, or else kept."""
    models = files.home() / "models"
    places = [files.home() / subject.MODEL, *sorted((models / "pulled").glob("*"))]
    found = [folder for folder in places if _holds(folder, content)]
    return found or [folder for folder in [fetch.kept(content)] if _holds(folder, content)]


def _holds(folder: Path, content: str) -> bool:
    """Whether a folder has exactly the files of this hash; never for an unknown hash."""
    try:
        integrity.check(folder, content)
    except UserError:
        return False
    return True


def _committed(version: Version | None, folders: list[Path]) -> list[str]:
    """The commits whose dvc.lock brought the model, oldest last."""
    oids = {tracked.folder_oid(folder) for folder in folders}
    if version is not None and DVC_OID in version.tags:
        oids.add(version.tags[DVC_OID])  # of a model that is in no folder here
    return [commit for oid in oids for commit in revisions.introducing(oid)]


def _short(folder: Path) -> str:
    return folder.relative_to(files.home()).as_posix()
