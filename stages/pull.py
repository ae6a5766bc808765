"""Put a verified model on this disk: a registered version, or the model of a git revision."""

import shutil
from pathlib import Path

from stages.lib import files, integrity, tracked
from stages.lib.errors import UserError
from stages.lib.tracking import fetch, store, subject
from stages.lib.tracking.subject import Subject


def pull(reference: str, folder: Path | None = None) -> tuple[Subject, Path]:
    """The model that `reference` means and the folder it is in: `folder`, if given.

    By default that is models/pulled/<name>-<version or commit>. Raises UserError, having
    changed nothing, when the model is not what was registered or committed, or when the
    folder holds something that could not be had again.
    """
    model = subject.published(reference)
    target = folder or files.workspace() / "models" / "pulled" / model.name
    with store.lock("pull"):
        if not _same(target, model):
            _check_replaceable(target)
            with files.replacing_folder(target) as partial:
                for name in sorted(integrity.NAMES):
                    shutil.copyfile(model.folder / name, partial / name)
                integrity.check(partial, model.content)
    return model, target


def _same(target: Path, model: Subject) -> bool:
    """Whether the model is in `target` already, byte by byte."""
    try:
        integrity.check(target, model.content)
    except UserError:
        return False
    ours, theirs = (files.sha256(f / files.MANIFEST) for f in (target, model.folder))
    return ours == theirs


def _check_replaceable(target: Path) -> None:
    """Raise UserError unless what is in `target` can be had again."""
    if not target.is_symlink() and (not target.exists() or _empty(target) or _elsewhere(target)):
        return
    found = f"{target} holds something that is nowhere else"
    raise UserError(f"{found}; move it away, or pull to another folder with --to")


def _empty(target: Path) -> bool:
    return target.is_dir() and not any(target.iterdir())


def _elsewhere(target: Path) -> bool:
    """Whether `target` is a whole model that was pulled, or that lies in DVC's cache."""
    try:
        content = str(integrity.check(target)["content_sha256"])
    except UserError:
        return False
    oid = tracked.folder_oid(target)
    kept = (fetch.kept(key) for key in (content, oid.removesuffix(tracked.FOLDER)))
    if any(tracked.is_folder(folder, oid) for folder in kept):
        return True
    with tracked.storage() as storage:
        return all(map(storage.cache.has, [oid, *map(tracked.md5, target.iterdir())]))
