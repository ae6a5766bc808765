"""The database of the studies: its address, its connection, its locks and its errors.

The embedded storage is one SQLite file below .state/; a PostgreSQL database serves workers
on several machines. No message contains a password: addresses are shown without them.
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
from optuna.storages._rdb.models import NOT_FOUND_MSG

from digits.project import workspace
from digits.project.errors import UserError

STORAGE_VARIABLE = "DIGITS_TUNE_STORAGE"
HEARTBEAT_SECONDS = 10  # between two heartbeats of a running trial
GRACE_SECONDS = 60  # without a heartbeat; then the worker counts as dead
MAX_RETRIES = 2  # of a trial whose worker was killed; after that the trial may be what kills it
BUSY_TIMEOUT = 60  # seconds to wait for SQLite's own lock
EXPECTED = "expected sqlite:///FILE or postgresql://USER@HOST/NAME"
URL = sqlalchemy.URL
FAILURES = (sqlalchemy.exc.SQLAlchemyError, StorageInternalError)


def storage_url(address: str | None, configured: str) -> URL:
    """The storage to use: `address`, else that of the environment, else the configured one.

    Raises UserError for a storage that is neither SQLite nor PostgreSQL, and for a password
    in params.yaml, which is in git.
    """
    text = address or os.environ.get(STORAGE_VARIABLE, "").strip() or configured
    try:
        url = sqlalchemy.make_url(text)
    except sqlalchemy.exc.ArgumentError:
        raise UserError(f"the storage's address is no URL; {EXPECTED}") from None
    kind = url.get_backend_name()
    if kind not in {"sqlite", "postgresql"} or (kind == "sqlite" and not url.database):
        raise UserError(f"the storage is {display_url(url)}; {EXPECTED}")
    if text == configured and url.password:
        raise UserError(f"tune.storage has a password; put the address into {STORAGE_VARIABLE}")
    if kind == "sqlite":
        url = url.set(database=str(workspace.state_root() / str(url.database)))
    return url


def display_url(url: URL) -> str:
    """`url` without user, password and options, for messages."""
    return str(URL.create(url.drivername, host=url.host, port=url.port, database=url.database))


@contextmanager
def translate_storage_errors(url: URL) -> Iterator[None]:
    """Turn errors of the storage `url` into a UserError."""
    try:
        yield
    except FAILURES as error:
        text = f"{display_url(url)} cannot be used ({_reason(error, url)})"
        advice = "nothing is lost; repair it and run the same command again"
        raise UserError(f"{text}; {advice}") from None
    except KeyError as error:
        if not is_deleted(error):
            raise
        found = f"the study was deleted from {display_url(url)} while it was used"
        raise UserError(f"{found}; run the same command to begin it anew") from None


def is_deleted(error: BaseException) -> bool:
    """Whether an error says that a study or a trial is no longer in the storage."""
    return isinstance(error, KeyError) and error.args == (NOT_FOUND_MSG,)


def _reason(error: BaseException, url: URL) -> str:
    """The database's own message, in one line and without secrets."""
    cause: Any = error.__cause__ or error
    text = " ".join(str(getattr(cause, "orig", None) or cause).split())
    for secret in filter(None, (url.password, *map(str, url.query.values()))):
        text = text.replace(str(secret), "***")
    return text[:200]


def connect_storage(url: URL) -> RDBStorage:
    """Open the storage, and create its tables if it has none.

    Raises UserError when it cannot be reached.
    """
    silence_optuna()
    address = url.render_as_string(hide_password=False)
    # Processes that create tables at the same time fail, so all others wait for the first.
    with translate_storage_errors(url), storage_lock(url, "tables", wait=True):
        return RDBStorage(
            address.replace("{", "{{").replace("}", "}}"),  # Optuna fills a template
            engine_kwargs=_engine_options(url),
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(MAX_RETRIES),
        )


def silence_optuna() -> None:
    """Let Optuna print errors only."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)  # heartbeats, plots
    warnings.filterwarnings("ignore", message="The reported value is ignored")  # after a resume


class _Connection(sqlite3.Connection):
    """A connection to the embedded storage that does not wait for the disk at each commit.

    A killed process loses nothing; after a power cut the last trials may be missing.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = NORMAL")


def _engine_options(url: URL) -> dict[str, Any]:
    """SQLAlchemy's options for connections to `url`."""
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_TIMEOUT, "factory": _Connection}}
    return {"connect_args": {"connect_timeout": 5}, "pool_pre_ping": True}


def storage_lock(url: URL, name: str, *, wait: bool) -> AbstractContextManager[bool]:
    """Acquire the lock `name` among all processes that use the storage; yield whether it is held.

    With `wait`, block until it is free. The lock is released when its holder ends, however
    that ends.
    """
    lock = _file_lock if url.get_backend_name() == "sqlite" else _database_lock
    return lock(url, name, wait=wait)


@contextmanager
def _file_lock(url: URL, name: str, *, wait: bool) -> Iterator[bool]:
    path = Path(str(url.database))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = filelock.FileLock(f"{path}.{name}.lock", timeout=-1 if wait else 0)
    with suppress(filelock.Timeout):
        lock.acquire()
    try:
        yield lock.is_locked
    finally:
        lock.release()


@contextmanager
def _database_lock(url: URL, name: str, *, wait: bool) -> Iterator[bool]:
    engine = sqlalchemy.create_engine(url, **_engine_options(url), poolclass=sqlalchemy.NullPool)
    query = f"SELECT pg_{'' if wait else 'try_'}advisory_lock(hashtext(:name))"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = connection.execute(sqlalchemy.text(query), {"name": f"digits tune {name}"}).scalar()
        yield wait or bool(held)  # closing the connection releases the lock
