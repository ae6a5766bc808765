"""Where a study is kept, and who may lead its search.

The embedded storage is one SQLite file below .state/; a PostgreSQL database serves workers
on several machines. Passwords are in no message: an address is told without them.
"""

import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

from digits.project import workspace
from digits.project.errors import UserError

STORAGE_VARIABLE = "DIGITS_TUNE_STORAGE"
HEARTBEAT_SECONDS = 10  # seconds between two signs of life of a running trial
GRACE_SECONDS = 60  # seconds without one after which its worker counts as gone
MAX_RETRIES = 2  # of a trial whose worker was killed; more and it may be the trial that kills
BUSY_TIMEOUT = 60  # seconds to wait for SQLite's own lock
EXPECTED = "expected sqlite:///FILE or postgresql://USER@HOST/NAME"
URL = sqlalchemy.URL
FAILURES = (sqlalchemy.exc.SQLAlchemyError, StorageInternalError)


def storage_url(given: str | None, configured: str) -> URL:
    """The storage to use: that of the command line, of the environment or of params.yaml.

    Raises UserError for one that is neither SQLite nor PostgreSQL, and for a password in
    params.yaml, which is in git.
    """
    text = given or os.environ.get(STORAGE_VARIABLE, "").strip() or configured
    try:
        url = sqlalchemy.make_url(text)
    except sqlalchemy.exc.ArgumentError:
        raise UserError(f"the storage's address is no URL; {EXPECTED}") from None
    kind = url.get_backend_name()
    if kind not in {"sqlite", "postgresql"} or (kind == "sqlite" and not url.database):
        raise UserError(f"the storage is {display_url(url)}; {EXPECTED}")
    if text == configured and url.password:
        raise UserError(
            f"tune.storage has a password; give the whole address in {STORAGE_VARIABLE}"
        )
    return (
        url
        if kind != "sqlite"
        else url.set(database=str(workspace.state_root() / str(url.database)))
    )


def display_url(url: URL) -> str:
    """`url` without user, password and options, for messages."""
    return str(URL.create(url.drivername, host=url.host, port=url.port, database=url.database))


@contextmanager
def translate_storage_errors(url: URL) -> Iterator[None]:
    """Tell a failing storage in one line."""
    try:
        yield
    except FAILURES as error:
        found = f"{display_url(url)} cannot be used ({_reason(error, url)})"
        advice = "nothing is lost; mend it, and the same command goes on"
        raise UserError(f"{found}; {advice}") from None


def _reason(error: BaseException, url: URL) -> str:
    """The database's own words, one line without secrets."""
    cause: Any = error.__cause__ or error
    text = " ".join(str(getattr(cause, "orig", None) or cause).split())
    for secret in filter(None, (url.password, *map(str, url.query.values()))):
        text = text.replace(str(secret), "***")
    return text[:200]


def connect_storage(url: URL) -> RDBStorage:
    """Open the storage, and make its tables where there are none.

    Raises UserError when it cannot be reached.
    """
    silence_optuna()
    whole = url.render_as_string(hide_password=False)
    # Several processes that make tables at once fail: one makes them, the others wait.
    with translate_storage_errors(url), storage_lock(url, "tables", wait=True):
        return RDBStorage(
            whole.replace("{", "{{").replace("}", "}}"),  # Optuna fills a template
            engine_kwargs=_settings(url),
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(MAX_RETRIES),
        )


def silence_optuna() -> None:
    """Let Optuna say only what is an error."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)  # heartbeats, plots
    warnings.filterwarnings("ignore", message="The reported value is ignored")  # after a resume


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
        return {"connect_args": {"timeout": BUSY_TIMEOUT, "factory": _Connection}}
    return {"connect_args": {"connect_timeout": 5}, "pool_pre_ping": True}


def storage_lock(url: URL, name: str, *, wait: bool) -> AbstractContextManager[bool]:
    """Whether no other process, of all that use the storage, is inside this with this name.

    With `wait` it is entered when the others are out. The lock goes with its holder, however
    that ends.
    """
    kind = _file_lock if url.get_backend_name() == "sqlite" else _database_lock
    return kind(url, name, wait=wait)


@contextmanager
def _file_lock(url: URL, name: str, *, wait: bool) -> Iterator[bool]:
    path = Path(str(url.database))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    guard = filelock.FileLock(f"{path}.{name}.lock", timeout=-1 if wait else 0)
    with suppress(filelock.Timeout):
        guard.acquire()
    try:
        yield guard.is_locked
    finally:
        guard.release()


@contextmanager
def _database_lock(url: URL, name: str, *, wait: bool) -> Iterator[bool]:
    engine = sqlalchemy.create_engine(url, **_settings(url), poolclass=sqlalchemy.NullPool)
    ask = f"SELECT pg_{'' if wait else 'try_'}advisory_lock(hashtext(:name))"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        got = connection.execute(sqlalchemy.text(ask), {"name": f"digits tune {name}"}).scalar()
        yield wait or bool(got)  # closing the connection gives the lock back
