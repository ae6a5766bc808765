"""Locks between processes: files in the checkout's `.state`, or else in the user's cache.

The operating system releases a lock when the process that holds it dies.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import filelock

from digits.project import workspace
from digits.project.errors import DiskError, UserError


@contextmanager
def stage_lock(name: str) -> Iterator[None]:
    """Let one process at a time run stage `name` in this checkout.

    Raises UserError, which names the process that holds the lock, when another one runs it.
    """
    folder = workspace.checkout_root() / ".state"
    folder.mkdir(mode=0o700, exist_ok=True)
    holder = folder / f"{name}.holder"
    lock = filelock.FileLock(folder / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        owner = holder.read_text() if holder.exists() else "another process"
        raise UserError(f"{owner} is running this stage here; wait for it or end it") from error
    try:
        holder.write_text(f"process {os.getpid()}, started {time.strftime('%Y-%m-%d %H:%M:%S')},")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def process_lock(name: str) -> Iterator[None]:
    """Let one process at a time continue; the others wait. Raises UserError if it cannot lock."""
    folder = workspace.state_folder()
    lock = filelock.FileLock(folder / f"{name}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        advice = "make room or correct the permissions, or set XDG_CACHE_HOME to another folder"
        raise DiskError(f"cannot write {folder}: {error.strerror}; {advice}") from error
    try:
        yield
    finally:
        lock.release()
