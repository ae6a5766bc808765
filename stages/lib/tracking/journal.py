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

import fcntl
import itertools
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from stages.lib import files
from stages.lib.errors import UserError, uninterrupted
from stages.lib.tracking import address, find, record, store
from stages.lib.tracking.store import Store, Target

FILE = "journal.jsonl"
PAUSE = 60.0  # seconds between two tries of a store that failed; a try takes 3, rarely 20
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
        making = {"name": None, "tags": {}, "moment": record.now(), **making}
        self.making = next((line for line in lines if "moment" in line), making)
        if self.making is making:
            self._append(making)
        self.store = store.connect()
        self.target: Target | None = None
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
            address.warn(f"{kind} cannot be kept ({address.reason(error)})")
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
            if store.answers(self.store):
                with _whole(self.store):
                    self.write()
                return
        except Exception as error:  # whatever it is, work must go on
            store.tell_outage(self.store, f"failed ({address.reason(error)})")
        self.delay()

    def delay(self) -> None:
        """Try the store, which has just failed, only after a while."""
        self._again = time.monotonic() + PAUSE

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
        self.target = self.target or find.in_store(self.store, self.run_id)
        if self.target is None:
            self.target = find.create(self.store, self.run_id, **self.making)
            self._written = 0
            find.adopt(self.target, self.run_id)

    def _write(self, kind: str, facts: Entry, register: Register | None) -> None:
        place = {"kept": self.path / facts["kept"]} if "kept" in facts else {}
        writer: Any = register if kind == REGISTER else getattr(record, kind)
        try:
            writer(self.target, **{**facts, **place})
        except Exception as error:
            if kind == REGISTER or not store.refused(error):
                raise
            address.warn(f"{kind} is not recorded ({address.reason(error)})")

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
        moment = int((self.path / FILE).stat().st_mtime * 1000)
        self._entries.append({"kind": "end_killed", "facts": {"moment": moment}})
        self._append(self._entries[-1])
        return True

    def close(self) -> None:
        """Let others have the folder; it goes when nothing in it waits."""
        if not self.waiting:
            shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # a full disk took no line of late
            self._file.close()


def _whole(where: Store) -> AbstractContextManager[None]:
    """Ctrl-C within a write leaves SQLite's lock behind; a server may take long, and has none."""
    return uninterrupted() if where.embedded else nullcontext()


def start(name: str, tags: Mapping[str, str]) -> Journal:
    """The journal of a new run of this process."""
    run_id, where = uuid.uuid4().hex, store.connect()
    making: Entry = {"name": name, "tags": dict(tags), "moment": record.now()}
    target = None
    try:
        if store.answers(where):
            with _whole(where):
                target = find.create(where, run_id, **making)
    except Exception as error:  # tracking is no reason not to work
        store.tell_outage(where, f"failed ({address.reason(error)})")
    journal = opened(target.run_id if target else run_id, **making)
    if target is None:
        journal.delay()
    journal.target = target
    return journal


def reopen(run_id: str, **making: Any) -> Journal:
    """The journal of a run that goes on; see `opened`."""
    journal = opened(run_id, **making)
    journal.add("reopen")
    return journal


def postpone(run_id: str, folder: Path, **wish: Any) -> None:
    """Keep the wish to register the model in `folder`; UserError when that is not possible."""
    journal = opened(run_id)
    kept = journal.add(REGISTER, partial(shutil.copytree, folder, dirs_exist_ok=True), **wish)
    journal.close()
    if not kept:
        raise UserError(f"{folder} is not registered; make room, then run the same again")


def opened(run_id: str, **making: Any) -> Journal:
    """The first journal of a run that no other process has open.

    Where neither a store nor a folder here has the run, it is made of `making`: its name,
    its tags and its moment. Without a name, it stands in for a run that is somewhere else.
    """
    paths = (_folder() / f"{run_id}-{number}" for number in itertools.count(1))
    return next(found for path in paths if (found := at(path, **making)))


def at(path: Path, **making: Any) -> Journal | None:
    """The journal in the folder `path`; None while another process has it open."""
    with suppress(FileNotFoundError):  # another process has just removed the folder
        path.mkdir(parents=True, exist_ok=True)
        file = (path / FILE).open("ab")
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_nlink:
                return Journal(path, file, **making)
        file.close()
    return None


def free() -> list[Journal]:
    """The journals that no process has open, in the order of their openings; close them."""
    found = [found for path in _folder().glob(f"*/{FILE}") if (found := at(path.parent))]
    return sorted(found, key=lambda journal: int(journal.making["moment"]))


def tidy() -> None:
    """Mark the runs of dead processes as KILLED; remove what the store has all of."""
    for journal in free():
        if journal.end_killed():
            journal.flush()
        journal.close()


def _folder() -> Path:
    """Where the journals are that are for the store in use."""
    return files.home() / ".state" / "runs" / ("own" if store.connect().embedded else "server")


def _lines(path: Path) -> Iterator[Entry]:
    """The lines of a journal, without those that a kill has torn."""
    for line in (path / FILE).read_bytes().split(b"\n"):
        with suppress(ValueError):
            yield json.loads(line)
