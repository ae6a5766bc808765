"""A model that somebody names: a version, a git revision, or a folder or file on this disk.

Whatever the name, the files are on this disk afterwards, and checked. `pull` puts them where
a person wants them.
"""

import shutil
from pathlib import Path

from digits.inference import model_integrity, model_manifest
from digits.inference.model_integrity import ResolvedModel
from digits.project import atomic_files, dvc_storage, git_revisions, process_locks, workspace
from digits.project.errors import UserError
from digits.project.git_revisions import RevisionNotFoundError
from digits.registry import version_download, version_lookup
from digits.registry.version_lookup import VersionNotFoundError
from digits.tracking.tracking_store import StoreUnavailableError

MODEL_OUTPUT = "models/digits"  # the output of dvc.yaml that is the model


def resolve_model(name: str) -> ResolvedModel:
    """The model in a folder, else `published(name)`. A file stands for its folder."""
    path = Path(name)
    if not path.exists():
        return resolve_published(name)
    folder = path if path.is_dir() else path.parent
    return ResolvedModel(name, folder, model_integrity.check_model(folder))


def resolve_published(name: str) -> ResolvedModel:
    """The version that `name` means, else the model of that git revision.

    Raises UserError when it means neither, or when anything about the files is wrong.
    """
    try:
        folder, number = version_download.download_reference(name)
    except (VersionNotFoundError, StoreUnavailableError) as error:
        return resolve_revision_or_raise(name, error)
    return _resolved(number, folder)


def _resolved(label: object, folder: Path) -> ResolvedModel:
    """The checked model in `folder`, under the name that is registered and a label."""
    manifest = model_manifest.load_manifest(folder / model_manifest.MANIFEST)
    return ResolvedModel(f"{version_lookup.registered_model_name()}-{label}", folder, manifest)


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


def pull_model(reference: str, folder: Path | None = None) -> tuple[ResolvedModel, Path]:
    """The model that `reference` means and the folder it is in: `folder`, if given.

    By default that is models/pulled/<name>-<version or commit>. Raises UserError, having
    changed nothing, when the model is not what was registered or committed, or when the
    folder holds something that could not be had again.
    """
    model = resolve_published(reference)
    target = folder or workspace.checkout_root() / "models" / "pulled" / model.name
    with process_locks.process_lock("pull"):
        _check_replaceable(target)
        with atomic_files.atomic_folder(target) as partial:
            for name in sorted(model_integrity.MODEL_FILES):
                shutil.copyfile(model.folder / name, partial / name)
            model_integrity.check_model(partial, model.content_sha256)
    return model, target


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
