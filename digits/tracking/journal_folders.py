"""The folders of journals in `.state/runs`: opened, locked, and closed for killed processes."""

import itertools
import os
import shutil
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from digits.project import workspace
from digits.project.errors import UserError
from digits.tracking import run_lookup, run_writer, tracking_store
from digits.tracking.journal import JOURNAL_FILE, REGISTER, Entry, Journal


def start_journal(name: str, tags: Mapping[str, str], resume: str | None = None) -> Journal:
    """Open the journal of a new run, created in the store if that answers, or of run `resume`."""
    if resume:
        return reopen_journal(resume, name=name, tags=tags)
    run_id, store = uuid.uuid4().hex, tracking_store.current_store()
    header: Entry = {"name": name, "tags": dict(tags), "moment": run_writer.unix_ms()}
    create = partial(run_lookup.create_run, store, run_id, **header)
    target = tracking_store.call_or_warn(store, create)
    journal = open_journal(target.run_id if target else run_id, **header)
    if target is None:
        journal.delay()
    journal.target = target
    return journal


def reopen_journal(run_id: str, **header: Any) -> Journal:
    """Open a journal of a run that goes on; `header` is that of `open_journal`."""
    journal = open_journal(run_id, **header)
    journal.add("reopen")
    return journal


def postpone_registration(run_id: str, folder: Path, **registration: Any) -> None:
    """Let `digits send` register the model in `folder`; UserError when the disk is full."""
    journal = open_journal(run_id)
    copy = partial(shutil.copytree, folder, dirs_exist_ok=True)
    saved = journal.add(REGISTER, copy, **registration)
    journal.close()
    if not saved:
        raise UserError(f"{folder} is not registered; make room, then run the same command again")


def open_journal(run_id: str, **header: Any) -> Journal:
    """Open the first journal of a run that no other process has open.

    A run that neither a store nor a folder here has is created with `header`: its name, tags
    and start. Without a name, the journal adds to a run that exists in another store.
    """
    paths = (_journals_folder() / f"{run_id}-{number}" for number in itertools.count(1))
    return next(journal for path in paths if (journal := try_open(path, **header)))


def try_open(path: Path, **header: Any) -> Journal | None:
    """Open and lock the journal in the folder `path`; None while another process has it open."""
    with suppress(FileNotFoundError):  # another process has just removed the folder
        path.mkdir(parents=True, exist_ok=True)
        file = (path / JOURNAL_FILE).open("ab")
        with suppress(BlockingIOError):
            _lock(file)
            if os.fstat(file.fileno()).st_nlink:
                return Journal(path, file, **header)
        file.close()
    return None


def _lock(file: BinaryIO) -> None:
    """Lock an open file until it is closed. Raises BlockingIOError while another process has it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file.fileno(), 2**30, os.SEEK_SET)  # far away: a locked byte cannot be read
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def unlocked_journals() -> list[Journal]:
    """Open the journals that no process has open, oldest first. The caller closes them."""
    files = _journals_folder().glob(f"*/{JOURNAL_FILE}")
    journals = filter(None, (try_open(file.parent) for file in files))
    return sorted(journals, key=lambda journal: int(journal.header["moment"]))


def close_dead_runs() -> None:
    """Mark the runs of killed processes as KILLED; remove the folders that nothing waits in."""
    for journal in unlocked_journals():
        if journal.end_killed():
            journal.flush()
        journal.close()


def _journals_folder() -> Path:
    """The folder of the journals for the current store."""
    kind = "own" if tracking_store.current_store().embedded else "server"
    return workspace.state_folder() / "runs" / kind
