"""Models that are not named by a path: of a registered version, or of a git revision.

Found, downloaded to the cache, checked, and pulled. How one version is downloaded and checked
is in `version_download`.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from digits.inference import model_integrity, model_manifest
from digits.inference.model_integrity import ResolvedModel
from digits.project import atomic_files, dvc_storage, git_revisions, workspace
from digits.project.errors import UserError
from digits.project.process_locks import process_lock
from digits.project.workspace import MODEL_OUTPUT
from digits.registry import version_download, version_lookup
from digits.registry.model_version import RegisteredVersion


def find_committed(reference: str, error: UserError) -> ResolvedModel:
    """Download the model of a git revision, after the registry's `error` about `reference`.

    Raises an error of that class, with both reasons, when git has no such revision, and
    UserError when its model is wrong.
    """
    try:
        commit = git_revisions.resolve_commit(reference)
    except git_revisions.RevisionNotFoundError:
        found = f"{reference!r} is no file, no folder, no git revision and no experiment"
        message = f"{found}, and {error}"
        raise type(error)(message) from None
    return _download_commit(commit)


def download(version: RegisteredVersion) -> ResolvedModel:
    """Download `version` to the cache, where it is missing, and check it."""
    folder = version_download.download_to_cache(version)
    return replace(_load(version.number, folder, version.number), description=version.description)


def _load(label: object, folder: Path, version: int | None = None) -> ResolvedModel:
    """Return the checked model in `folder`, named by the registered model and a label."""
    manifest = model_manifest.load_manifest(folder / model_manifest.MANIFEST)
    name = f"{version_lookup.registered_model_name()}-{label}"
    return ResolvedModel(name, folder, manifest, version)


def _download_commit(commit: str) -> ResolvedModel:
    """Return the model that the dvc.lock of a commit names, from DVC's cache or a remote."""
    with dvc_storage.open_revision(commit) as revision:
        try:
            oid = str(revision.info(f"/{MODEL_OUTPUT}")["md5"])
        except (FileNotFoundError, KeyError):
            found = f"commit {commit[:10]} has no {MODEL_OUTPUT} in its dvc.lock"
            raise UserError(f"{found}; choose another") from None
        folder = version_download.cached_folder(oid.removesuffix(dvc_storage.FOLDER_SUFFIX))
        with process_lock("models"):
            if not dvc_storage.matches_object(folder, oid):
                with atomic_files.atomic_folder(folder) as partial:
                    for name in sorted(model_integrity.MODEL_FILES):
                        (partial / name).write_bytes(revision.read_bytes(f"/{MODEL_OUTPUT}/{name}"))
                    _check_committed(partial, oid)
    return _load(commit[:10], folder)


def _check_committed(folder: Path, oid: str) -> None:
    """Raise UserError unless `folder` has exactly the bytes that git names, and is a model."""
    if not dvc_storage.matches_object(folder, oid):
        found = f"the model {oid[:10]} was changed in DVC's cache or remote"
        raise UserError(f"{found}; do not use it, `digits verify` tells where")
    model_integrity.check_model(folder)


def pull_model(model: ResolvedModel, folder: Path | None = None) -> Path:
    """Copy a model's files to `folder`, check the copy, and return the folder.

    By default that is models/pulled/<name of the model>. Raises UserError, having changed
    nothing, when the folder holds something that cannot be downloaded again.
    """
    name = model.name if model.version or not Path(model.name).exists() else model.folder.name
    target = folder or workspace.work_folder() / "models" / "pulled" / name
    with process_lock("pull"):
        _check_replaceable(target)
        with atomic_files.atomic_folder(target) as partial:
            for file in sorted(model_integrity.MODEL_FILES):
                shutil.copyfile(model.folder / file, partial / file)
            model_integrity.check_model(partial, model.content_sha256)
    return target


def _check_replaceable(target: Path) -> None:
    """Raise UserError unless `target` is missing, empty, or a copy of a model in the cache."""
    if target.is_symlink() or not (
        not target.exists()
        or (target.is_dir() and not any(target.iterdir()))
        or (model_integrity.is_intact(target) and _is_cached(target))
    ):
        found = f"{target} holds something that was not pulled"
        raise UserError(f"{found}; move it away, or pull to another folder with --to")


def _is_cached(target: Path) -> bool:
    """Whether the cache has the same files, under their content hash or DVC's name."""
    oid = dvc_storage.folder_object_id(target)
    content = str(model_manifest.load_manifest(target / model_manifest.MANIFEST)["content_sha256"])
    keys = (content, oid.removesuffix(dvc_storage.FOLDER_SUFFIX))
    return any(dvc_storage.matches_object(version_download.cached_folder(k), oid) for k in keys)
