"""What a run logs, kept in files of this checkout until the tracking store has it.

Each opening of a run (training, evaluation, registration) has a folder
`.state/runs/server/<run id>-<n>`. Without a configured server, `own` replaces `server`. Each call
that logs something appends a line of JSON to `journal.jsonl` there: the kind of call, and its
arguments with the time of the call. Files and models are copied beside it. Then the waiting lines
are written to the store, in order, and a line `{"written": n}` counts those that it has. The
folder is removed when the run is closed and everything is written.

When the store fails, the lines stay, one line on stderr says so, and work goes on. The store is
tried again after a minute, and once more at the end. Each try first checks for 3 seconds at most
whether the store answers. The next opening of the run first writes the waiting lines of its
folder. `digits send` writes those of all folders that no process has open.

A process locks its open folders. An unlocked folder whose lines do not end the run is of a
process that was killed. The next run that begins here, `digits send` and `digits ui` end such a
run as KILLED.

Writing a line twice changes nothing, so a kill at any moment loses nothing. Numbers keep their
time and step; a model is known by the SHA-256 of its graph, a version by that of all its files.
A run that no store could create yet has an id from here, and the model's manifest has that id.
The run that is later created for it carries that id as the tag `mlflow.digits.run`.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from digits.tracking import run_lookup, run_writer, store_errors, store_uri, tracking_store
from digits.tracking.tracking_store import StoredRun

JOURNAL_FILE = "journal.jsonl"
RETRY_SECONDS = 60.0  # between two tries of a store that failed
REGISTER = "register"  # the kind that needs a decision, so that only `digits send` writes it
Entry = dict[str, Any]


class Journal:
    """One opening of a run: its entries, and how many of them the store has."""

    def __init__(self, path: Path, file: BinaryIO, **header: Any) -> None:
        """Use `journal_folders.try_open`: `file` is the locked journal of the folder `path`.

        A new journal begins with `header`: name, tags and start of a run to be created.
        """
        self.path, self._file = path, file
        self.run_id = path.name.rpartition("-")[0]
        lines = list(_read_lines(path))
        self._entries = [line for line in lines if "kind" in line]
        self._written: int = next((x["written"] for x in lines[::-1] if "written" in x), 0)
        header = {"name": None, "tags": {}, "moment": run_writer.unix_ms(), **header}
        self.header = next((line for line in lines if "moment" in line), header)
        if self.header is header:
            self._append(**header)
        self.store = tracking_store.current_store()
        self.target: StoredRun | None = None
        self._retry_at = 0.0  # on the monotonic clock

    @property
    def waiting(self) -> list[Entry]:
        """The entries that are not in the store."""
        return self._entries[self._written :]

    def add(self, kind: str, save: Callable[..., object] | None = None, **arguments: Any) -> bool:
        """Append an entry and write what waits. Never raises; False when it cannot be saved.

        `save` writes the files of the entry into the empty folder that it is given.
        """
        saved = False
        try:
            if save is not None:
                folder = self.path / uuid.uuid4().hex
                folder.mkdir()
                save(folder)
                arguments["kept"] = folder.name
            self._append(kind=kind, facts=arguments)
            saved = True
        except Exception as error:  # such as a full disk; the store still gets what it can
            store_uri.warn_once(f"{kind} cannot be kept ({store_uri.describe_error(error)})")
        self.flush()
        return saved

    def _append(self, **line: Any) -> None:
        """Begin with a line end, so that a line torn by a kill spoils no other.

        Journals on disk have the names `facts` and `kept` for arguments and files of an entry.
        """
        if "kind" in line:
            self._entries.append(line)
        self._file.write(b"\n" + json.dumps(line).encode())
        self._file.flush()

    def flush(self) -> None:
        """Write what waits, unless the store failed a moment ago. Never raises."""
        due = self.waiting and time.monotonic() >= self._retry_at
        if due and tracking_store.call_or_warn(self.store, self.write) is None:
            self.delay()

    def delay(self) -> None:
        """Wait a while before the next try of a store that has just failed."""
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def write(self, register: Callable[..., object] | None = None) -> StoredRun:
        """Write what waits up to the first failure, which is raised. Returns the run.

        `register` makes a version. Without it, a registration and all entries after it wait on.
        A run that has to be created gets all entries from the first one on.
        """
        self.target = self.target or run_lookup.find_in_store(self.store, self.run_id)
        if self.target is None:
            self.target = run_lookup.create_run(self.store, self.run_id, **self.header)
            self._written = 0
            run_lookup.adopt_children(self.target, self.run_id)
        try:
            while self.waiting and (register or self.waiting[0]["kind"] != REGISTER):
                self._write_entry(self.waiting[0], register)
                self._written += 1
        finally:
            self._append(written=self._written)
        return self.target

    def _write_entry(self, entry: Entry, register: Callable[..., object] | None) -> None:
        kind, arguments = entry["kind"], dict(entry["facts"])
        files = [self.path / arguments.pop("kept")] if "kept" in arguments else []
        writer: Any = register if kind == REGISTER else run_writer.WRITERS[kind]
        try:
            writer(self.target, *files, **arguments)
        except Exception as error:
            if kind == REGISTER or not store_errors.is_rejection(error):
                raise
            store_uri.warn_once(f"{kind} is not recorded ({store_uri.describe_error(error)})")

    def end(self, **arguments: Any) -> None:
        """Close the run, and try once more to write what waits."""
        self._retry_at = 0.0
        self.add("end", **arguments)
        self.close()

    def end_killed(self) -> bool:
        """Append the end of a run whose process was killed; False where an end was appended."""
        if self._entries and self._entries[-1]["kind"] in {"end", "end_killed", REGISTER}:
            return False
        moment = int((self.path / JOURNAL_FILE).stat().st_mtime * 1000)
        self._append(kind="end_killed", facts={"moment": moment})
        return True

    def close(self) -> None:
        """Unlock the folder, and remove it when nothing in it waits."""
        if not self.waiting:
            shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # the last lines may not fit on a full disk
            self._file.close()


def _read_lines(path: Path) -> Iterator[Entry]:
    """The lines of a journal, without those that a kill has torn."""
    for line in (path / JOURNAL_FILE).read_bytes().split(b"\n"):
        with suppress(ValueError):
            yield json.loads(line)
