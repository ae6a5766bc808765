"""The model of a registered version or of a git revision: fetched, checked, kept, and pulled."""

import shutil
from pathlib import Path

from digits.inference import model_integrity, model_manifest
from digits.inference.model_integrity import ResolvedModel
from digits.project import atomic_files, dvc_storage, git_revisions, process_locks, workspace
from digits.project.errors import UserError
from digits.project.git_revisions import RevisionNotFoundError
from digits.project.workspace import MODEL_OUTPUT
from digits.registry import version_download, version_lookup
from digits.registry.version_lookup import VersionNotFoundError
from digits.tracking.tracking_store import StoreUnavailableError


def resolve_published(name: str) -> ResolvedModel:
    """The version that `name` means, else the model of that git revision.

    Raises UserError when it means neither, or when anything about the files is wrong.
    """
    try:
        folder, number = version_download.download_reference(name)
    except (VersionNotFoundError, StoreUnavailableError) as error:
        return resolve_revision_or_raise(name, error)
    return _resolved(number, folder, number)


def _resolved(label: object, folder: Path, version: int | None = None) -> ResolvedModel:
    """The checked model in `folder`, under the name that is registered and a label."""
    manifest = model_manifest.load_manifest(folder / model_manifest.MANIFEST)
    name = f"{version_lookup.registered_model_name()}-{label}"
    return ResolvedModel(name, folder, manifest, version)


def resolve_revision_or_raise(revision: str, error: UserError) -> ResolvedModel:
    """The model of a git revision. Raises UserError with `error` in it when there is none."""
    try:
        commit = git_revisions.resolve_commit(revision)
    except RevisionNotFoundError as neither:
        if isinstance(error, VersionNotFoundError):
            raise VersionNotFoundError(f"{error}; {neither}") from None
        raise error from None
    return _resolve_commit(commit)


def _resolve_commit(commit: str) -> ResolvedModel:
    """The model of a commit, from DVC's cache or a remote, as its dvc.lock names it."""
    with dvc_storage.open_revision(commit) as revision:
        try:
            oid = str(revision.info(f"/{MODEL_OUTPUT}")["md5"])
        except (FileNotFoundError, KeyError):
            found = f"commit {commit[:10]} has no {MODEL_OUTPUT} in its dvc.lock; choose another"
            raise UserError(found) from None
        folder = version_download.cached_folder(oid.removesuffix(dvc_storage.FOLDER_SUFFIX))
        with process_locks.process_lock("models"):
            if not dvc_storage.matches_object(folder, oid):
                with atomic_files.atomic_folder(folder) as partial:
                    for name in sorted(model_integrity.MODEL_FILES):
                        (partial / name).write_bytes(revision.read_bytes(f"/{MODEL_OUTPUT}/{name}"))
                    _check_committed(partial, oid)
    return _resolved(commit[:10], folder)


def _check_committed(folder: Path, oid: str) -> None:
    """Raise UserError unless `folder` has exactly the bytes that git names, and is a model."""
    if not dvc_storage.matches_object(folder, oid):
        found = f"the model {oid[:10]} was changed in DVC's cache or remote"
        raise UserError(f"{found}; do not use it, `digits verify` tells where")
    model_integrity.check_model(folder)


def pull_model(model: ResolvedModel, folder: Path | None = None) -> Path:
    """Copy a model's files to `folder`, and check the copy; returns the folder.

    By default that is models/pulled/<name of the model>. Raises UserError, having changed
    nothing, when the folder holds something that could not be had again.
    """
    name = model.name if model.version or not Path(model.name).exists() else model.folder.name
    target = folder or workspace.checkout_root() / "models" / "pulled" / name
    with process_locks.process_lock("pull"):
        _check_replaceable(target)
        with atomic_files.atomic_folder(target) as partial:
            for name in sorted(model_integrity.MODEL_FILES):
                shutil.copyfile(model.folder / name, partial / name)
            model_integrity.check_model(partial, model.content_sha256)
    return target


def _check_replaceable(target: Path) -> None:
    """Raise UserError unless `target` is empty or not there, or what is in it can be had again."""
    if target.is_symlink() or not (
        not target.exists()
        or (target.is_dir() and not any(target.iterdir()))
        or (model_integrity.is_intact(target) and _is_cached(target))
    ):
        found = f"{target} holds something that was not pulled"
        raise UserError(f"{found}; move it away, or pull to another folder with --to")


def _is_cached(target: Path) -> bool:
    """Whether a whole model was pulled."""
    oid = dvc_storage.folder_object_id(target)
    content = str(model_manifest.load_manifest(target / model_manifest.MANIFEST)["content_sha256"])
    kept = (
        version_download.cached_folder(key)
        for key in (content, oid.removesuffix(dvc_storage.FOLDER_SUFFIX))
    )
    return any(dvc_storage.matches_object(folder, oid) for folder in kept)
