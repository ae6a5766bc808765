"""What runs log, kept in files of this checkout until the tracking store has it.

Each opening of a run (its training, its evaluation, its registration) has a folder
`.state/runs/server/<run id>-<n>`; without a configured server, in `own` instead of `server`.
Each call that logs something appends one line of JSON to `journal.jsonl` there: the kind of
call, and its arguments with the time of the call. Files and models are copied beside it. Then
the lines that wait are written to the store, in order, and a line `{"written": n}` says how
far that came. When the run is closed and all is written, the folder goes.

When the store fails, the lines stay, one line on stderr says so, and work goes on. The store
is tried again after a minute, and once more at the end; it is first asked whether it is there,
which takes 3 seconds at most. The next opening of the run writes what waits first; `digits
send` writes what waits in all folders that no process has open. A process locks the folders
that it has open, so one that is left and free is of a process that was killed: the next run
that begins here, `digits send` and `digits ui` end it as KILLED.

Writing a line twice changes nothing, so a kill at any moment costs nothing: numbers keep
their time and step, a model is known by the SHA-256 of its graph, a version by that of all
its files. A run that no store could make yet has an id made here, which the model's manifest
carries; the run that is made of it later bears that id as the tag `digits.run`.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO

from digits.project.interrupts import defer_interrupts
from digits.tracking import run_lookup, run_writer, store_uri, tracking_store
from digits.tracking.tracking_store import StoredRun, TrackingStore

JOURNAL_FILE = "journal.jsonl"
RETRY_SECONDS = 60.0  # seconds between two tries of a store that failed; a try takes 3, rarely 20
REGISTER = "register"  # the one kind that takes a decision: `digits send` writes it
Entry = dict[str, Any]
Keep = Callable[[Path], object]
Register = Callable[..., object]


class Journal:
    """One opening of a run: its entries, and how many of them the store has."""

    def __init__(self, path: Path, file: BinaryIO, **making: Any) -> None:
        """`file` is the journal of the folder `path`, locked; use `at` or `opened`.

        `making` is what the run is made with where the store does not have it.
        """
        self.path, self._file = path, file
        self.run_id = path.name.rpartition("-")[0]
        lines = list(_lines(path))
        self._entries = [line for line in lines if "kind" in line]
        self._written: int = next((x["written"] for x in lines[::-1] if "written" in x), 0)
        making = {"name": None, "tags": {}, "moment": run_writer.now_ms(), **making}
        self.making = next((line for line in lines if "moment" in line), making)
        if self.making is making:
            self._append(making)
        self.store = tracking_store.current_store()
        self.target: StoredRun | None = None
        self._again = 0.0  # when the store is tried again, on the monotonic clock

    @property
    def waiting(self) -> list[Entry]:
        """The entries that are not written."""
        return self._entries[self._written :]

    def add(self, kind: str, keep: Keep | None = None, **facts: Any) -> bool:
        """Append an entry and write what waits. Never raises; False when it cannot be kept.

        `keep` puts the files of the entry into the empty folder that it is given.
        """
        kept = False
        try:
            if keep is not None:
                facts["kept"] = uuid.uuid4().hex
                (self.path / facts["kept"]).mkdir()
                keep(self.path / facts["kept"])
            self._entries.append({"kind": kind, "facts": facts})
            self._append(self._entries[-1])
            kept = True
        except Exception as error:  # a full disk, say: what can be is written all the same
            store_uri.warn_once(f"{kind} cannot be kept ({store_uri.describe_error(error)})")
        self.flush()
        return kept

    def _append(self, line: Entry) -> None:
        """A line begins with its line end, so that one torn by a kill spoils no other."""
        self._file.write(b"\n" + json.dumps(line).encode())
        self._file.flush()

    def flush(self) -> None:
        """Write what waits, unless the store failed a moment ago. Never raises."""
        if not self.waiting or time.monotonic() < self._again:
            return
        try:
            if tracking_store.is_reachable(self.store):
                with uninterrupted_write(self.store):
                    self.write()
                return
        except Exception as error:  # whatever it is, work must go on
            tracking_store.warn_outage(self.store, f"failed ({store_uri.describe_error(error)})")
        self.delay()

    def delay(self) -> None:
        """Try the store, which has just failed, only after a while."""
        self._again = time.monotonic() + RETRY_SECONDS

    def write(self, register: Register | None = None) -> None:
        """Write what waits up to the first failure, which is raised.

        `register` makes a version; without it, a registration and all after it waits on.
        """
        self._find()
        try:
            while self.waiting and (register or self.waiting[0]["kind"] != REGISTER):
                self._write(register=register, **self.waiting[0])
                self._written += 1
        finally:
            self._append({"written": self._written})

    def _find(self) -> None:
        """The run in the store, made from its first entry on where the store has none."""
        self.target = self.target or run_lookup.find_in_store(self.store, self.run_id)
        if self.target is None:
            self.target = run_lookup.create_run(self.store, self.run_id, **self.making)
            self._written = 0
            run_lookup.adopt_children(self.target, self.run_id)

    def _write(self, kind: str, facts: Entry, register: Register | None) -> None:
        place = {"kept": self.path / facts["kept"]} if "kept" in facts else {}
        writer: Any = register if kind == REGISTER else getattr(run_writer, kind)
        try:
            writer(self.target, **{**facts, **place})
        except Exception as error:
            if kind == REGISTER or not tracking_store.is_rejection(error):
                raise
            store_uri.warn_once(f"{kind} is not recorded ({store_uri.describe_error(error)})")

    def end(self, **facts: Any) -> None:
        """Close the run, and try once more to write what waits."""
        self._again = 0.0
        self.add("end", **facts)
        self.close()

    def end_killed(self) -> bool:
        """Close a run whose process ended without doing that; whether it did."""
        kinds = [entry["kind"] for entry in self._entries]
        if {"end", "end_killed", REGISTER} & set(kinds[-1:]):
            return False
        moment = int((self.path / JOURNAL_FILE).stat().st_mtime * 1000)
        self._entries.append({"kind": "end_killed", "facts": {"moment": moment}})
        self._append(self._entries[-1])
        return True

    def close(self) -> None:
        """Let others have the folder; it goes when nothing in it waits."""
        if not self.waiting:
            shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # a full disk took no line of late
            self._file.close()


def uninterrupted_write(where: TrackingStore) -> AbstractContextManager[None]:
    """Ctrl-C within a write leaves SQLite's lock behind; a server may take long, and has none."""
    return defer_interrupts() if where.embedded else nullcontext()


def _lines(path: Path) -> Iterator[Entry]:
    """The lines of a journal, without those that a kill has torn."""
    for line in (path / JOURNAL_FILE).read_bytes().split(b"\n"):
        with suppress(ValueError):
            yield json.loads(line)
