"""Read what DVC stores: the files of a git revision, and objects in the cache and the remotes.

DVC names an object by the MD5 of its bytes. A folder is an object that lists the objects of its
files. DVC returns whatever is stored under a name, so callers compare the bytes afterwards.
"""

import errno
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any  # DVC has no types

from digits.project import workspace
from digits.project.errors import DiskError, UserError

FOLDER_SUFFIX = ".dir"  # the end of a folder's object id
DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # of this machine, not of a remote
TIMEOUT_SECONDS = 10.0  # for a remote to answer; some kinds of remote have no time limit


class ObjectNotFoundError(UserError):
    """An object is in neither the cache nor a remote."""


class NoResponseError(UserError):
    """The cache or a remote cannot be read."""


class DamagedObjectError(UserError):
    """The bytes of an object do not have the MD5 of its name."""


@contextmanager
def _translate_errors(store: str) -> Iterator[None]:
    """Turn the errors of a cache or remote into ObjectNotFoundError or NoResponseError."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectNotFoundError(f"an object is not in {store}; push it there") from error
    except Exception as error:  # each kind of remote has exceptions of its own
        is_local = isinstance(error, OSError) and error.errno in DISK_FULL_ERRORS
        if is_local or isinstance(error, UserError):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split()).strip(": ")[:200]
        raise NoResponseError(f"{store} cannot be read ({reason}); try again later") from error


@dataclass(frozen=True)
class ObjectStore:
    """The cache or a remote; `odb` is a dvc_data.hashfile.db.HashFileDB."""

    name: str
    odb: Any

    def exists(self) -> bool:
        """Whether anything was ever stored here.

        Raises NoResponseError unless the store answers within TIMEOUT_SECONDS.
        """
        # a thread of a ThreadPool is a daemon: one that still waits does not keep the process alive
        with _translate_errors(self.name), ThreadPool(1) as pool:
            found = pool.apply_async(self.odb.fs.exists, (self.odb.path,))
            return bool(found.get(TIMEOUT_SECONDS))

    def intact_objects(self, oids: set[str]) -> set[str]:
        """The `oids` that are here. Reads every byte; raises DamagedObjectError for a wrong one."""
        from dvc_data.hashfile.hash import file_md5  # DVC's own check deletes damaged objects

        with _translate_errors(self.name):
            present = set(self.odb.list_oids_exists(oids))
            for oid in sorted(present):
                digest = file_md5(self.odb.oid_to_path(oid), self.odb.fs)
                if digest != oid.removesuffix(FOLDER_SUFFIX):
                    message = f"{oid} in {self.name} was changed: its bytes have the MD5 {digest}"
                    raise DamagedObjectError(f"{message}; remove it there and push it again")
        return present


class DvcStorage:
    """The cache of a checkout, its remotes that hold anything, and the error of one that is silent.

    `repo` is a dvc.repo.Repo.
    """

    def __init__(self, repo: Any) -> None:
        self._repo = repo
        self.cache = ObjectStore("DVC's cache", repo.cache.local)
        self.remotes: list[ObjectStore] = []
        self.unreachable: NoResponseError | None = None
        for name in sorted(repo.config["remote"]):
            remote = ObjectStore(f"remote {name!r}", repo.cloud.get_remote(name).odb)
            try:
                self.remotes += [remote] if remote.exists() else []
            except NoResponseError as error:
                self.unreachable = error

    @property
    def is_backed_up(self) -> bool:
        """Whether a remote holds anything, or is silent and may."""
        return bool(self.remotes) or self.unreachable is not None

    def outputs(self) -> dict[str, str]:
        """Object ids of all outputs that DVC caches, by their paths relative to the checkout."""
        outs = [out for out in self._repo.index.outs if out.use_cache and out.hash_info]
        root = self._repo.root_dir
        return {Path(o.fs_path).relative_to(root).as_posix(): str(o.hash_info.value) for o in outs}

    def members(self, oid: str) -> set[str]:
        """`oid` and, if it is a folder that is stored anywhere, the object ids of its files."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.tree import Tree

        for store in (self.cache, *self.remotes) if oid.endswith(FOLDER_SUFFIX) else ():
            if store.intact_objects({oid}):
                with _translate_errors(store.name):
                    tree = Tree.load(store.odb, HashInfo("md5", oid))
                    return {oid, *(str(entry.value) for _, _, entry in tree if entry)}
        return {oid}


@contextmanager
def _repository() -> Iterator[Any]:
    """Yield the dvc.repo.Repo of this checkout. An error of DVC becomes a UserError.

    It stores nothing between calls. DVC's own index would keep a listing that somebody changed,
    even after the right one is back.
    """
    from dvc.exceptions import DvcException  # an import of 0.4 s
    from dvc.repo import Repo

    try:
        with TemporaryDirectory() as index:
            config = {"core": {"site_cache_dir": index}}
            with Repo(str(workspace.state_root()), config=config) as repo:
                yield repo
    except DvcException as error:
        reason = " ".join(str(error).split())
        raise UserError(f"DVC failed ({reason}); `dvc status` says more") from error
    except sqlite3.Error as error:  # of its index
        found = f"cannot write {gettempdir()} ({error})"
        raise DiskError(f"{found}; make room there, or set TMPDIR to another folder") from error


@contextmanager
def open_storage() -> Iterator[DvcStorage]:
    """Yield the storage of this checkout."""
    with _repository() as repo:
        yield DvcStorage(repo)


@contextmanager
def open_revision(commit: str) -> Iterator[Any]:
    """Yield the files of a commit as a dvc.api.DVCFileSystem.

    The files of DVC come from its cache, or else from the default remote; their bytes are not
    checked. Reading raises ObjectNotFoundError and NoResponseError.
    """
    from dvc.api import DVCFileSystem

    with _repository() as repo, repo.switch(commit), _translate_errors("DVC's cache or remote"):
        yield DVCFileSystem(repo)


def md5_of_file(path: Path) -> str:
    """MD5 of a file's bytes, the object id that DVC gives to it."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def folder_object_id(folder: Path) -> str:
    """The object id that DVC gives to a folder of files."""
    listing = [{"md5": md5_of_file(p), "relpath": p.name} for p in sorted(folder.iterdir())]
    text = json.dumps(listing, sort_keys=True).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest() + FOLDER_SUFFIX


def matches_object(folder: Path, oid: str) -> bool:
    """Whether `folder` exists and has exactly the files of the object `oid`."""
    return folder.is_dir() and folder_object_id(folder) == oid
