"""A model that somebody names: a version, a git revision, or a folder or file on this disk.

Whatever the name, the files are on this disk afterwards, and checked. `pull` puts them where
a person wants them.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from stages.lib import files, integrity, tracked
from stages.lib.errors import UserError
from stages.lib.integrity import Manifest
from stages.lib.tracking import fetch, resolve, store
from stages.lib.tracking.resolve import UnknownError
from stages.lib.tracking.store import OutageError

MODEL = "models/digits"  # the output of dvc.yaml that is the model


@dataclass(frozen=True)
class Subject:
    """A checked model: its short name, which can name a file, and where it lies."""

    name: str
    folder: Path
    manifest: Manifest

    @property
    def content(self) -> str:
        """The hash of its files."""
        return str(self.manifest["content_sha256"])


def find(name: str) -> Subject:
    """The model in a folder, else `published(name)`. A file stands for its folder."""
    path = Path(name)
    if not path.exists():
        return published(name)
    folder = path if path.is_dir() else path.parent
    return Subject(name, folder, integrity.check(folder))


def published(name: str) -> Subject:
    """The version that `name` means, else the model of that git revision.

    Raises UserError when it means neither, or when anything about the files is wrong.
    """
    try:
        folder, number = fetch.fetch(name)
    except (UnknownError, OutageError) as error:
        return committed_or(name, error)
    return _named(number, folder)


def _named(label: object, folder: Path) -> Subject:
    """The checked model in `folder`, under the name that is registered and a label."""
    manifest = files.manifest(folder / files.MANIFEST)
    return Subject(f"{resolve.model_name()}-{label}", folder, manifest)


def committed_or(revision: str, error: UserError) -> Subject:
    """The model of a git revision. Raises UserError with `error` in it when there is none."""
    try:
        commit = tracked.commit(revision)
    except tracked.NoRevisionError as neither:
        if isinstance(error, UnknownError):
            raise UnknownError(f"{error}; {neither}") from None
        raise error from None
    return _committed(commit)


def _committed(commit: str) -> Subject:
    """The model of a commit, from DVC's cache or a remote, as its dvc.lock names it."""
    with tracked.revision(commit) as revision:
        try:
            oid = str(revision.info(f"/{MODEL}")["md5"])
        except (FileNotFoundError, KeyError):
            found = f"commit {commit[:10]} has no {MODEL} in its dvc.lock; choose another"
            raise UserError(found) from None
        folder = fetch.kept(oid.removesuffix(tracked.FOLDER))
        with store.lock("models"):
            if not tracked.is_folder(folder, oid):
                with files.replacing_folder(folder) as partial:
                    for name in sorted(integrity.NAMES):
                        (partial / name).write_bytes(revision.read_bytes(f"/{MODEL}/{name}"))
                    _check_committed(partial, oid)
    return _named(commit[:10], folder)


def _check_committed(folder: Path, oid: str) -> None:
    """Raise UserError unless `folder` has exactly the bytes that git names, and is a model."""
    if not tracked.is_folder(folder, oid):
        found = f"the model {oid[:10]} was changed in DVC's cache or remote"
        raise UserError(f"{found}; do not use it, `digits verify` tells where")
    integrity.check(folder)


def pull(reference: str, folder: Path | None = None) -> tuple[Subject, Path]:
    """The model that `reference` means and the folder it is in: `folder`, if given.

    By default that is models/pulled/<name>-<version or commit>. Raises UserError, having
    changed nothing, when the model is not what was registered or committed, or when the
    folder holds something that could not be had again.
    """
    model = published(reference)
    target = folder or files.workspace() / "models" / "pulled" / model.name
    with store.lock("pull"):
        _check_replaceable(target)
        with files.replacing_folder(target) as partial:
            for name in sorted(integrity.NAMES):
                shutil.copyfile(model.folder / name, partial / name)
            integrity.check(partial, model.content)
    return model, target


def _check_replaceable(target: Path) -> None:
    """Raise UserError unless `target` is empty or not there, or what is in it can be had again."""
    if target.is_symlink() or not (
        not target.exists()
        or (target.is_dir() and not any(target.iterdir()))
        or (integrity.intact(target) and _elsewhere(target))
    ):
        found = f"{target} holds something that was not pulled"
        raise UserError(f"{found}; move it away, or pull to another folder with --to")


def _elsewhere(target: Path) -> bool:
    """Whether a whole model was pulled."""
    oid = tracked.folder_oid(target)
    content = str(files.manifest(target / files.MANIFEST)["content_sha256"])
    kept = (fetch.kept(key) for key in (content, oid.removesuffix(tracked.FOLDER)))
    return any(tracked.is_folder(folder, oid) for folder in kept)
