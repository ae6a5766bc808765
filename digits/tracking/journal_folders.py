"""TODO"""

import fcntl
import itertools
import os
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from digits.project import workspace
from digits.project.errors import UserError
from digits.tracking import run_lookup, run_writer, store_uri, tracking_store
from digits.tracking.journal import JOURNAL_FILE, REGISTER, Entry, Journal, uninterrupted_write


def start_journal(name: str, tags: Mapping[str, str]) -> Journal:
    """The journal of a new run of this process."""
    run_id, where = uuid.uuid4().hex, tracking_store.current_store()
    making: Entry = {"name": name, "tags": dict(tags), "moment": run_writer.now_ms()}
    target = None
    try:
        if tracking_store.is_reachable(where):
            with uninterrupted_write(where):
                target = run_lookup.create_run(where, run_id, **making)
    except Exception as error:  # tracking is no reason not to work
        tracking_store.warn_outage(where, f"failed ({store_uri.describe_error(error)})")
    journal = open_journal(target.run_id if target else run_id, **making)
    if target is None:
        journal.delay()
    journal.target = target
    return journal


def reopen_journal(run_id: str, **making: Any) -> Journal:
    """The journal of a run that goes on; see `opened`."""
    journal = open_journal(run_id, **making)
    journal.add("reopen")
    return journal


def postpone_registration(run_id: str, folder: Path, **wish: Any) -> None:
    """Keep the wish to register the model in `folder`; UserError when that is not possible."""
    journal = open_journal(run_id)
    kept = journal.add(REGISTER, partial(shutil.copytree, folder, dirs_exist_ok=True), **wish)
    journal.close()
    if not kept:
        raise UserError(f"{folder} is not registered; make room, then run the same again")


def open_journal(run_id: str, **making: Any) -> Journal:
    """The first journal of a run that no other process has open.

    Where neither a store nor a folder here has the run, it is made of `making`: its name,
    its tags and its moment. Without a name, it stands in for a run that is somewhere else.
    """
    paths = (_folder() / f"{run_id}-{number}" for number in itertools.count(1))
    return next(found for path in paths if (found := try_open(path, **making)))


def try_open(path: Path, **making: Any) -> Journal | None:
    """The journal in the folder `path`; None while another process has it open."""
    with suppress(FileNotFoundError):  # another process has just removed the folder
        path.mkdir(parents=True, exist_ok=True)
        file = (path / JOURNAL_FILE).open("ab")
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_nlink:
                return Journal(path, file, **making)
        file.close()
    return None


def unlocked_journals() -> list[Journal]:
    """The journals that no process has open, in the order of their openings; close them."""
    found = [
        found for path in _folder().glob(f"*/{JOURNAL_FILE}") if (found := try_open(path.parent))
    ]
    return sorted(found, key=lambda journal: int(journal.making["moment"]))


def close_dead_runs() -> None:
    """Mark the runs of dead processes as KILLED; remove what the store has all of."""
    for journal in unlocked_journals():
        if journal.end_killed():
            journal.flush()
        journal.close()


def _folder() -> Path:
    """Where the journals are that are for the store in use."""
    return (
        workspace.state_root()
        / ".state"
        / "runs"
        / ("own" if tracking_store.current_store().embedded else "server")
    )
