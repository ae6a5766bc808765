"""From a model, a version, a run or a commit to the other three."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits.inference import model_integrity
from digits.inference.model_integrity import Manifest
from digits.project import dvc_storage, git_revisions, workspace
from digits.registry import (
    model_reference,
    published_model,
    registration,
    version_download,
    version_lookup,
)
from digits.registry.artifact_removal import REMOVED_TAG
from digits.registry.model_version import DVC_TAG, RegisteredVersion
from digits.registry.registration import RUN_TAG_PREFIX
from digits.registry.version_lookup import RUN_ID_PATTERN, VersionNotFoundError
from digits.tracking import run_lookup, store_uri
from digits.tracking.run_context import NO_COMMIT
from digits.tracking.tracking_store import StoreUnavailableError, TrackingStore, translate_errors

if TYPE_CHECKING:
    from mlflow.entities import Run
from digits.tracking.run_context import INPUT_TAG


def trace_lineage(name: str) -> dict[str, dict[str, Any]]:
    """Where the model that `name` means comes from, and where it went, as JSON.

    `name` is a file or folder of a model, a run id, a version, an alias or a git revision.
    Where nothing is known, a part is empty. Raises UserError when it is none of them, or a
    model that was changed.
    """
    content, run_id, version = _identify(name)
    version = version or _version(content)
    run = run_lookup.find_run(run_id)
    recorded = run.store.client.get_run(run.run_id) if run else None
    tags = {**(version.tags if version else {}), **(recorded.data.tags if recorded else {})}
    folders = _folders(content)
    places = [folder.relative_to(workspace.state_root()).as_posix() for folder in folders]
    return {
        "model": {"content_sha256": content, "folders": places},
        "version": _describe_version(version) if version else {},
        "run": _run(recorded, run.store) if run and recorded else {"id": run_id},
        "commit": _commit(tags, folders),
        "data": _strip_prefix(tags, INPUT_TAG),
        "params": recorded.data.params if recorded else {},
        "tuning": _strip_prefix(tags, "tune."),
        "machine": _strip_prefix(tags, "env."),
    }


def _identify(name: str) -> tuple[str, str, RegisteredVersion | None]:
    """Content hash (empty: unknown), run id and, if it is known already, version."""
    if Path(name).exists():
        return _described(model_reference.resolve(name).manifest)
    try:
        version = version_lookup.find_version(name)
    except (VersionNotFoundError, StoreUnavailableError) as error:
        if RUN_ID_PATTERN.fullmatch(name) and run_lookup.find_run(name):
            return "", name, None
        return _described(published_model.resolve_revision_or_raise(name, error).manifest)
    return version.content_sha256, version.run_id, version


def _described(manifest: Manifest) -> tuple[str, str, None]:
    return str(manifest["content_sha256"]), str(manifest["run_id"]), None


def _version(content: str) -> RegisteredVersion | None:
    """The version with these bytes. None also when the registry does not answer."""
    try:
        where = version_lookup.registry_store()
        with translate_errors(where):
            return registration.find_by_content(
                where, version_lookup.registered_model_name(), content
            )
    except StoreUnavailableError as error:
        store_uri.warn_once(str(error))
    return None


def _describe_version(version: RegisteredVersion) -> dict[str, Any]:
    return {
        "name": version.name,
        "number": version.number,
        "aliases": list(version.aliases),
        "files_removed": version.tags.get(REMOVED_TAG, ""),
        "registered": version.created.isoformat(timespec="seconds"),
        "runs": sorted(
            k.removeprefix(RUN_TAG_PREFIX) for k in version.tags if k.startswith(RUN_TAG_PREFIX)
        ),
    }


def _strip_prefix(tags: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {k.removeprefix(prefix): v for k, v in sorted(tags.items()) if k.startswith(prefix)}


def _run(recorded: "Run", where: TrackingStore) -> dict[str, Any]:
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
    oids = {dvc_storage.folder_object_id(folder) for folder in folders}
    if DVC_TAG in tags:
        oids.add(tags[DVC_TAG])  # of a model that is in no folder here
    return {
        "id": tags.get("git.commit", NO_COMMIT),
        "branch": tags.get("git.branch", ""),
        "dirty": tags.get("git.dirty") == "true",
        "committed_in": [
            commit for oid in oids for commit in git_revisions.commits_introducing(oid)
        ],
    }


def _folders(content: str) -> list[Path]:
    """Where whole copies of the model lie: as the pipeline's output, pulled, or else kept."""
    models = workspace.state_root() / "models"
    places = [
        workspace.state_root() / workspace.MODEL_OUTPUT,
        *sorted((models / "pulled").glob("*")),
    ]
    found = [folder for folder in places if model_integrity.is_intact(folder, content)]
    kept = version_download.cached_folder(content)
    return found or ([kept] if model_integrity.is_intact(kept, content) else [])
