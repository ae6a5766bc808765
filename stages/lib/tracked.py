"""What DVC tracks: the outputs of a git revision, and their bytes in the cache and the remotes.

DVC names an object by the MD5 of its bytes; a folder is an object that lists those of its
files. Every object that is read here is held against its name.
"""

import errno
import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from stages.lib import files
from stages.lib.errors import UserError

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc_data.hashfile.db import HashFileDB

FOLDER = ".dir"  # the end of a folder's name
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # nothing can be written here


class AbsentError(UserError):
    """An object is in none of the places asked."""


class SilentError(UserError):
    """A place does not answer."""


class DamagedError(UserError):
    """An object's bytes are not those of its name."""


@dataclass(frozen=True)
class Output:
    """A file or folder that DVC keeps; `path` counts from the project's root."""

    path: str
    oid: str
    size: int


@dataclass(frozen=True)
class Place:
    """The cache or a remote."""

    name: str
    _objects: "HashFileDB"

    def has(self, oid: str) -> bool:
        """Whether something with this name is there, whatever its bytes."""
        with self._explained():
            return bool(self._objects.fs.exists(self._objects.oid_to_path(oid)))

    def copy(self, oid: str, target: Path) -> None:
        """Write an object to the file `target`, which is gone again when it is damaged.

        Raises AbsentError, DamagedError, and SilentError when the place does not answer.
        """
        with self._explained():
            self._objects.fs.get_file(self._objects.oid_to_path(oid), str(target))
        found = md5(target)
        if found != oid.removesuffix(FOLDER):
            target.unlink()
            message = f"{oid} in {self.name} was changed: its bytes have the MD5 {found}"
            raise DamagedError(f"{message}; remove it there and push it again")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise AbsentError(f"an object is not in {self.name}; push it there") from error
        except Exception as error:  # each kind of remote has exceptions of its own
            if isinstance(error, OSError) and error.errno in FULL:
                raise  # this disk, not that place
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise SilentError(f"{self.name} cannot be read ({reason}); try again later") from error


class Storage:
    """The cache and the remotes of a checkout, and what its revisions keep there."""

    def __init__(self, repo: "Repo") -> None:
        self._repo = repo
        self.cache = Place("DVC's cache", repo.cache.local)

    @property
    def remotes(self) -> list[Place]:
        """Every configured remote, the default one first."""
        default = self._repo.config["core"].get("remote")
        names = sorted(self._repo.config["remote"], key=lambda name: (name != default, name))
        return [Place(f"remote {name!r}", self._repo.cloud.get_remote(name).odb) for name in names]

    def outputs(self, revision: str | None) -> list[Output]:
        """What DVC keeps of a git revision; None: of the files as they are now."""
        with self._repo.switch(revision or "workspace"):
            found = [out for out in self._repo.index.outs if out.use_cache and out.hash_info]
            root, fs = self._repo.root_dir, self._repo.fs
            return [
                Output(
                    PurePosixPath(*fs.relparts(out.fs_path, root)).as_posix(),
                    str(out.hash_info.value),
                    out.meta.size or 0,
                )
                for out in found
            ]

    def obtain(self, oid: str, target: Path) -> None:
        """Write an object to `target`, from the cache or else from a remote.

        A damaged copy is passed over. Raises UserError when no place has a whole one.
        """
        problems: list[UserError] = []
        for place in (self.cache, *self.remotes):
            try:
                return place.copy(oid, target)
            except UserError as error:
                problems.append(error)
        telling = [p for p in problems if not isinstance(p, AbsentError)]
        where = "in DVC's cache nor in a remote; `dvc push` it where it was made"
        raise telling[-1] if telling else AbsentError(f"{oid} is neither {where}")

    def members(self, oid: str) -> dict[str, str]:
        """The objects of a folder by their paths; a file has the one path ''."""
        if not oid.endswith(FOLDER):
            return {"": oid}
        with tempfile.TemporaryDirectory() as scratch:
            listing = Path(scratch) / "listing"
            self.obtain(oid, listing)
            try:
                entries = json.loads(listing.read_bytes())
                found = {str(entry["relpath"]): str(entry["md5"]) for entry in entries}
            except (ValueError, LookupError, TypeError, RecursionError) as error:
                raise DamagedError(f"{oid} is no list of files; do not use it") from error
        for path in map(PurePosixPath, found):
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise DamagedError(f"{oid} lists {str(path)!r}, outside of it; do not use it")
        return found

    def pushed(self, oid: str) -> bool:
        """Whether an object is in a remote. DVC pushes a folder's files before its listing.

        Raises SilentError when it is in none that answers, and one does not answer.
        """
        silent = None
        for remote in self.remotes:
            try:
                if remote.has(oid):
                    return True
            except SilentError as error:
                silent = error
        if silent is not None:
            raise silent
        return False

    def checkout(self, output: Output, target: Path) -> None:
        """Write an output to the path `target`, which is an empty folder or not there."""
        for path, oid in self.members(output.oid).items():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            self.obtain(oid, target / path)


@contextmanager
def storage() -> Iterator[Storage]:
    """The storage of this checkout. Raises UserError when DVC cannot read its settings."""
    from dvc.exceptions import DvcException  # 0.4 s
    from dvc.repo import Repo

    try:
        with Repo(str(files.home())) as repo:
            yield Storage(repo)
    except DvcException as error:
        reason = " ".join(str(error).split())
        raise UserError(f"DVC cannot be asked ({reason}); `dvc status` says more") from error


def md5(path: Path) -> str:
    """MD5 of a file's bytes, by which DVC names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def folder_oid(folder: Path) -> str:
    """The name that DVC gives to a folder of files."""
    names = sorted(path.name for path in folder.iterdir())
    listing = [{"md5": md5(folder / name), "relpath": name} for name in names]
    text = json.dumps(listing, sort_keys=True).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest() + FOLDER


def is_folder(folder: Path, oid: str) -> bool:
    """Whether `folder` is there, with exactly the files of this object."""
    return folder.is_dir() and folder_oid(folder) == oid
