"""Where a study is kept, and how processes take turns with it.

The embedded storage is one SQLite file below .state/; a PostgreSQL database serves workers
on several machines. Passwords are in no message: an address is told without them.
"""

import os
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import filelock
import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage

from stages.lib import files
from stages.lib.errors import UserError

VARIABLE = "DIGITS_TUNE_STORAGE"
HEARTBEAT = 10  # seconds between two signs of life of a running trial
GRACE = 60  # seconds without one after which its worker counts as gone
PATIENCE = 120.0  # seconds to wait for a turn; nobody needs more than a few
BUSY = 60  # seconds to wait for SQLite's own lock
POLL = 0.05
URL = sqlalchemy.URL
FAILURES = (sqlalchemy.exc.SQLAlchemyError, StorageInternalError)


def address(given: str | None, configured: str) -> URL:
    """The storage to use: that of the command line, of the environment or of params.yaml.

    Raises UserError for one that is neither SQLite nor PostgreSQL, and for a password in
    params.yaml, which is in git.
    """
    text = given or os.environ.get(VARIABLE, "").strip() or configured
    try:
        url = sqlalchemy.make_url(text)
    except sqlalchemy.exc.ArgumentError:
        raise UserError(f"the storage's address is no URL; {_expected()}") from None
    kind = url.get_backend_name()
    if kind not in {"sqlite", "postgresql"} or (kind == "sqlite" and not url.database):
        raise UserError(f"the storage is {told(url)}; {_expected()}")
    if text == configured and url.password:
        raise UserError(f"tune.storage has a password; give the whole address in {VARIABLE}")
    return url if kind != "sqlite" else url.set(database=str(files.home() / str(url.database)))


def _expected() -> str:
    return "expected sqlite:///FILE or postgresql://USER@HOST/NAME"


def told(url: URL) -> str:
    """`url` without user, password and options, for messages."""
    return str(URL.create(url.drivername, host=url.host, port=url.port, database=url.database))


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Tell a failing storage in one line."""
    try:
        yield
    except FAILURES as error:
        found = f"{told(url)} cannot be used ({_reason(error, url)})"
        advice = "nothing is lost; mend it, and the same command goes on"
        raise UserError(f"{found}; {advice}") from None


def _reason(error: BaseException, url: URL) -> str:
    """The database's own words, one line without secrets."""
    cause: Any = error.__cause__ or error
    text = " ".join(str(getattr(cause, "orig", None) or cause).split())
    for secret in filter(None, (url.password, *map(str, url.query.values()))):
        text = text.replace(str(secret), "***")
    return text[:200]


def connect(url: URL) -> RDBStorage:
    """Open the storage, and make its tables where there are none.

    Raises UserError when it cannot be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)  # heartbeat
    warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")
    # Several processes that make tables at once fail: one makes them, the others wait.
    with explained(url), turn(url, "tables"):
        return RDBStorage(
            secret(url).replace("{", "{{").replace("}", "}}"),  # Optuna fills a template
            engine_kwargs=_settings(url),
            heartbeat_interval=HEARTBEAT,
            grace_period=GRACE,
        )


def secret(url: URL) -> str:
    """`url` with its password."""
    return url.render_as_string(hide_password=False)


class _Connection(sqlite3.Connection):
    """A connection to the embedded storage that does not wait for the disk at each commit.

    A killed process loses nothing; after a power cut the last trials may be missing. With
    SQLite's defaults a trial of 20 epochs cost 0.9 s on a busy disk, so it is 0.2 s.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = NORMAL")


def _settings(url: URL) -> dict[str, Any]:
    """How SQLAlchemy connects."""
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY, "factory": _Connection}}
    return {"connect_args": {"connect_timeout": 5}, "pool_pre_ping": True}


@contextmanager
def turn(url: URL, name: str, patience: float = PATIENCE) -> Iterator[None]:
    """Let one process at a time, of all that use the storage, do what is inside.

    The lock goes with its holder, however that ends. Raises UserError when it cannot be
    had within `patience` seconds.
    """
    lock = _file_lock if url.get_backend_name() == "sqlite" else _database_lock
    with lock(url, name, patience):
        yield


@contextmanager
def _file_lock(url: URL, name: str, patience: float) -> Iterator[None]:
    path = Path(str(url.database))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with filelock.FileLock(f"{path}.{name}.lock", timeout=patience, poll_interval=POLL):
            yield
    except filelock.Timeout:
        raise _taken(url, name) from None


@contextmanager
def _database_lock(url: URL, name: str, patience: float) -> Iterator[None]:
    engine = sqlalchemy.create_engine(url, **_settings(url), poolclass=sqlalchemy.NullPool)
    until = time.monotonic() + patience
    ask = sqlalchemy.text("SELECT pg_try_advisory_lock(hashtext(:name))")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.execute(ask, {"name": f"digits tune {name}"}).scalar():
            if time.monotonic() > until:
                raise _taken(url, name)
            time.sleep(POLL)
        yield  # closing the connection gives the lock back


class TakenError(UserError):
    """Another process holds the lock."""


def _taken(url: URL, name: str) -> TakenError:
    return TakenError(f"another process holds {name} of {told(url)}; wait for it or end it")


@contextmanager
def alone(url: URL, name: str) -> Iterator[bool]:
    """Whether no other process is inside this, with this name and storage; does not wait."""
    with ExitStack() as stack:
        try:
            stack.enter_context(turn(url, name, patience=0))
            free = True
        except TakenError:
            free = False
        yield free
