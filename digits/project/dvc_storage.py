"""What git and DVC keep: the files of a revision, and the bytes in the cache and the remotes.

DVC names an object by the MD5 of its bytes; a folder is an object that lists those of its
files. DVC hands out whatever lies under a name, so who uses it compares the bytes afterwards.
"""

import errno
import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import TYPE_CHECKING

from digits.project import workspace
from digits.project.errors import UserError

if TYPE_CHECKING:
    from dvc.api import DVCFileSystem
    from dvc.repo import Repo
    from dvc_data.hashfile.db import HashFileDB


FOLDER_SUFFIX = ".dir"  # the end of a folder's name
DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # nothing can be written here
TIMEOUT_SECONDS = 10.0  # seconds for a remote to answer; some kinds know no time limit


class ObjectNotFoundError(UserError):
    """An object is in none of the places asked."""


class NoResponseError(UserError):
    """A place does not answer."""


class DamagedObjectError(UserError):
    """An object's bytes are not those of its name."""


@contextmanager
def _translate_errors(place: str) -> Iterator[None]:
    """Turn what a cache or remote throws into AbsentError or SilentError."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise ObjectNotFoundError(f"an object is not in {place}; push it there") from error
    except Exception as error:  # each kind of remote has exceptions of its own
        if isinstance(error, OSError) and error.errno in DISK_FULL_ERRORS:
            raise  # this disk, not that place
        reason = " ".join(f"{type(error).__name__}: {error}".split()).strip(": ")[:200]
        raise NoResponseError(f"{place} cannot be read ({reason}); try again later") from error


@dataclass(frozen=True)
class ObjectStore:
    """The cache or a remote."""

    name: str
    odb: "HashFileDB"

    def check_reachable(self) -> None:
        """Raise SilentError unless it answers within seconds. Some remotes wait for minutes."""
        # a thread of this pool, left behind, keeps no process from ending
        with _translate_errors(self.name), ThreadPool(1) as pool:
            pool.apply_async(self.odb.fs.exists, (self.odb.path,)).get(TIMEOUT_SECONDS)

    def intact_objects(self, oids: set[str]) -> set[str]:
        """Those of `oids` that are here. Every byte is read; DamagedError for another one."""
        from dvc_data.hashfile.hash import file_md5  # DVC's own check deletes what is damaged

        with _translate_errors(self.name):
            found = set(self.odb.list_oids_exists(oids))
            for oid in sorted(found):
                digest = file_md5(self.odb.oid_to_path(oid), self.odb.fs)
                if digest != oid.removesuffix(FOLDER_SUFFIX):
                    message = f"{oid} in {self.name} was changed: its bytes have the MD5 {digest}"
                    raise DamagedObjectError(f"{message}; remove it there and push it again")
        return found


class DvcStorage:
    """The cache of a checkout, its remotes that answer, and the error of one that does not."""

    def __init__(self, repo: "Repo") -> None:
        self._repo = repo
        self.cache = ObjectStore("DVC's cache", repo.cache.local)
        self.remotes: list[ObjectStore] = []
        self.unreachable: NoResponseError | None = None
        for name in sorted(repo.config["remote"]):
            remote = ObjectStore(f"remote {name!r}", repo.cloud.get_remote(name).odb)
            try:
                remote.check_reachable()
                self.remotes.append(remote)
            except NoResponseError as error:
                self.unreachable = error

    def outputs(self) -> dict[str, str]:
        """The objects that DVC keeps of the files as they are now, by their paths."""
        kept = [out for out in self._repo.index.outs if out.use_cache and out.hash_info]
        root = self._repo.root_dir
        return {Path(o.fs_path).relative_to(root).as_posix(): str(o.hash_info.value) for o in kept}

    def members(self, oid: str) -> set[str]:
        """An object and, where it is a folder that is kept anywhere, those of its files."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.tree import Tree

        for place in (self.cache, *self.remotes) if oid.endswith(FOLDER_SUFFIX) else ():
            if place.intact_objects({oid}):
                with _translate_errors(place.name):
                    listed = Tree.load(place.odb, HashInfo("md5", oid))
                    return {oid, *(str(entry.value) for _, _, entry in listed if entry)}
        return {oid}


@contextmanager
def _repository() -> Iterator["Repo"]:
    """DVC's view of this checkout. Raises UserError when it cannot read its settings.

    It remembers nothing: a listing that somebody changed would stay in DVC's own index after
    the right one is back.
    """
    from dvc.exceptions import DvcException  # 0.4 s
    from dvc.repo import Repo

    try:
        with tempfile.TemporaryDirectory() as scratch:
            private = {"core": {"site_cache_dir": scratch}}
            with Repo(str(workspace.state_root()), config=private) as repo:
                yield repo
    except DvcException as error:
        reason = " ".join(str(error).split())
        raise UserError(f"DVC cannot be asked ({reason}); `dvc status` says more") from error


@contextmanager
def open_storage() -> Iterator[DvcStorage]:
    """The storage of this checkout."""
    with _repository() as repo:
        yield DvcStorage(repo)


@contextmanager
def open_revision(commit: str) -> Iterator["DVCFileSystem"]:
    """The files of a commit: git's, and DVC's from its cache or else the default remote.

    Their bytes are whatever lies there. Raises AbsentError and SilentError inside.
    """
    from dvc.api import DVCFileSystem

    with _repository() as repo, repo.switch(commit), _translate_errors("DVC's cache or remote"):
        yield DVCFileSystem(repo)


def md5_of_file(path: Path) -> str:
    """MD5 of a file's bytes, by which DVC names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def folder_object_id(folder: Path) -> str:
    """The name that DVC gives to a folder of files."""
    names = sorted(path.name for path in folder.iterdir())
    listing = [{"md5": md5_of_file(folder / name), "relpath": name} for name in names]
    text = json.dumps(listing, sort_keys=True).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest() + FOLDER_SUFFIX


def matches_object(folder: Path, oid: str) -> bool:
    """Whether `folder` is there, with exactly the files of this object."""
    return folder.is_dir() and folder_object_id(folder) == oid
