"""A model that somebody names: a version, a git revision, or a folder or file on this disk.

Whatever the name, the files are on this disk afterwards, and checked.
"""

from dataclasses import dataclass
from pathlib import Path

from stages.lib import files, integrity, revisions, tracked
from stages.lib.errors import UserError
from stages.lib.integrity import Manifest
from stages.lib.tracking import fetch, resolve, store
from stages.lib.tracking.resolve import UnknownError, UnreachableError

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
        return _registered(name)
    except (UnknownError, UnreachableError) as error:
        return committed_or(name, error)


def _registered(name: str) -> Subject:
    folder, number = fetch.fetch(name)
    label = f"{resolve.model_name()}-{number}"
    return Subject(label, folder, integrity.read(folder / files.MANIFEST))


def committed_or(revision: str, error: UserError) -> Subject:
    """The model of a git revision. Raises UserError with `error` in it when there is none."""
    try:
        commit = revisions.commit(revision)
    except revisions.NoRevisionError as neither:
        if isinstance(error, UnknownError):
            raise UnknownError(f"{error}; {neither}") from None
        raise error from None
    return _committed(commit)


def _committed(commit: str) -> Subject:
    """The model of a commit, from DVC's cache or a remote."""
    with tracked.storage() as storage:
        output = next((o for o in storage.outputs(commit) if o.path == MODEL), None)
        if output is None:
            raise UserError(f"commit {commit[:10]} has no {MODEL} in its dvc.lock; choose another")
        folder = fetch.kept(output.oid.removesuffix(tracked.FOLDER))
        with store.lock("models"):
            if not tracked.is_folder(folder, output.oid):
                with files.replacing_folder(folder) as partial:
                    storage.checkout(output, partial)
                    integrity.check(partial)
    manifest = integrity.read(folder / files.MANIFEST)
    return Subject(f"{resolve.model_name()}-{commit[:10]}", folder, manifest)
