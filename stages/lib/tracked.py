"""What git and DVC keep: the files of a revision, and the bytes in the cache and the remotes.

DVC names an object by the MD5 of its bytes; a folder is an object that lists those of its
files. DVC hands out whatever lies under a name, so who uses it compares the bytes afterwards.
"""

import errno
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib import files
from stages.lib.errors import UserError

if TYPE_CHECKING:
    from dvc.api import DVCFileSystem
    from dvc.repo import Repo
    from dvc_data.hashfile.db import HashFileDB

FOLDER = ".dir"  # the end of a folder's name
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # nothing can be written here
PATIENCE = 10.0  # seconds for a remote to answer; some kinds know no time limit


class NoRevisionError(UserError):
    """Git has no such revision."""


class AbsentError(UserError):
    """An object is in none of the places asked."""


class SilentError(UserError):
    """A place does not answer."""


class DamagedError(UserError):
    """An object's bytes are not those of its name."""


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn what a cache or remote throws into AbsentError or SilentError."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise AbsentError(f"an object is not in {place}; push it there") from error
    except Exception as error:  # each kind of remote has exceptions of its own
        if isinstance(error, OSError) and error.errno in FULL:
            raise  # this disk, not that place
        reason = " ".join(f"{type(error).__name__}: {error}".split()).strip(": ")[:200]
        raise SilentError(f"{place} cannot be read ({reason}); try again later") from error


@dataclass(frozen=True)
class Place:
    """The cache or a remote."""

    name: str
    odb: "HashFileDB"

    def greet(self) -> None:
        """Raise SilentError unless it answers within seconds. Some remotes wait for minutes."""
        # a thread of this pool, left behind, keeps no process from ending
        with _explained(self.name), ThreadPool(1) as pool:
            pool.apply_async(self.odb.fs.exists, (self.odb.path,)).get(PATIENCE)

    def whole(self, oids: set[str]) -> set[str]:
        """Those of `oids` that are here. Every byte is read; DamagedError for another one."""
        from dvc_data.hashfile.hash import file_md5  # DVC's own check deletes what is damaged

        with _explained(self.name):
            found = set(self.odb.list_oids_exists(oids))
            for oid in sorted(found):
                digest = file_md5(self.odb.oid_to_path(oid), self.odb.fs)
                if digest != oid.removesuffix(FOLDER):
                    message = f"{oid} in {self.name} was changed: its bytes have the MD5 {digest}"
                    raise DamagedError(f"{message}; remove it there and push it again")
        return found


class Storage:
    """The cache of a checkout, its remotes that answer, and the error of one that does not."""

    def __init__(self, repo: "Repo") -> None:
        self._repo = repo
        self.cache = Place("DVC's cache", repo.cache.local)
        self.remotes: list[Place] = []
        self.silent: SilentError | None = None
        for name in sorted(repo.config["remote"]):
            remote = Place(f"remote {name!r}", repo.cloud.get_remote(name).odb)
            try:
                remote.greet()
                self.remotes.append(remote)
            except SilentError as error:
                self.silent = error

    def outputs(self) -> dict[str, str]:
        """The objects that DVC keeps of the files as they are now, by their paths."""
        kept = [out for out in self._repo.index.outs if out.use_cache and out.hash_info]
        root = self._repo.root_dir
        return {Path(o.fs_path).relative_to(root).as_posix(): str(o.hash_info.value) for o in kept}

    def members(self, oid: str) -> set[str]:
        """An object and, where it is a folder that is kept anywhere, those of its files."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.tree import Tree

        for place in (self.cache, *self.remotes) if oid.endswith(FOLDER) else ():
            if place.whole({oid}):
                with _explained(place.name):
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
            with Repo(str(files.home()), config=private) as repo:
                yield repo
    except DvcException as error:
        reason = " ".join(str(error).split())
        raise UserError(f"DVC cannot be asked ({reason}); `dvc status` says more") from error


@contextmanager
def storage() -> Iterator[Storage]:
    """The storage of this checkout."""
    with _repository() as repo:
        yield Storage(repo)


@contextmanager
def revision(commit: str) -> Iterator["DVCFileSystem"]:
    """The files of a commit: git's, and DVC's from its cache or else the default remote.

    Their bytes are whatever lies there. Raises AbsentError and SilentError inside.
    """
    from dvc.api import DVCFileSystem

    with _repository() as repo, repo.switch(commit), _explained("DVC's cache or remote"):
        yield DVCFileSystem(repo)


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


def commit(name: str) -> str:
    """The full id of a git revision. Raises NoRevisionError when there is none."""
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not found:
        raise NoRevisionError(f"git has no revision {name!r}; `git log` lists commits")
    return found


def introducing(oid: str) -> list[str]:
    """The commits of all branches that brought this object into dvc.lock, newest first."""
    touching = git("log", "--all", f"-S{oid}", "--format=%H", "--", "dvc.lock").split()
    return [commit for commit in touching if oid in git("show", f"{commit}:dvc.lock")]


def git(*arguments: str, strict: bool = False) -> str:
    """What git prints. Where it fails or is missing nothing, or UserError if `strict`."""
    command = ["git", "-C", str(files.home()), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        if strict:
            raise UserError(f"git does not answer ({error}); nothing was changed") from error
        return ""
    return done.stdout.strip()
