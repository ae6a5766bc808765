"""TODO"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import filelock

from digits.project import workspace
from digits.project.errors import UserError


@contextmanager
def stage_lock(name: str) -> Iterator[None]:
    """Let one process at a time run stage `name` in this checkout.

    The system drops the lock when its holder dies, however it dies. Raises UserError
    naming the holder when there is one.
    """
    folder = workspace.checkout_root() / ".state"
    folder.mkdir(mode=0o700, exist_ok=True)
    holder = folder / f"{name}.holder"
    guard = filelock.FileLock(folder / f"{name}.lock")
    try:
        guard.acquire(timeout=0)
    except filelock.Timeout as error:
        who = holder.read_text() if holder.exists() else "another process"
        raise UserError(f"{who} is running this stage here; wait for it or end it") from error
    try:
        holder.write_text(f"process {os.getpid()}, started {time.strftime('%Y-%m-%d %H:%M:%S')},")
        yield
    finally:
        holder.unlink(missing_ok=True)
        guard.release()


def process_lock(name: str) -> filelock.BaseFileLock:
    """Held by one process of this checkout at a time; the others wait for it."""
    folder = workspace.state_root() / ".state"
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder / f"{name}.lock")
