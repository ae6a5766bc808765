"""MLflow as a quiet library, and the SQLite file behind a local store."""

import logging
import os
import sqlite3
import warnings
from pathlib import Path
from typing import Any

from digits.project import atomic_files

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Below this, each failed statement prints a page of traceback; `address.warn` says it.
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    # MLflow's defaults block for 247 s on a server that is gone; with these it is 1-20 s.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # addresses can hold passwords
}
ARTIFACTS = "mlartifacts"
# Every column in which MLflow keeps an absolute path to artifacts.
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def silence_mlflow() -> None:
    """Set how MLflow behaves, before its first import; what the user set stays."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # a line for each retry
    warnings.filterwarnings("ignore", module="mlflow")


def prepare_database(path: Path) -> None:
    """Make the SQLite database `path` when it is missing; mend its paths when it was moved.

    The caller holds the lock: several processes at the first use destroy a database.
    """
    if path.exists() and path.stat().st_size > 0:
        _repair_paths(path)
        return
    import sqlalchemy
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # `replacing` flushes the whole file at its end; flushing each of MLflow's many
    # migrations as well took 5.3 s instead of 1.6 s.
    hook = (sqlalchemy.Engine, "connect", _unflushed)
    sqlalchemy.event.listen(*hook)
    try:
        with atomic_files.atomic_file(path) as partial:
            partial.unlink(missing_ok=True)  # half a database of a killed process
            make: Any = SqlAlchemyStore  # without annotations
            make(f"sqlite:///{partial}", str(path.parent / ARTIFACTS)).engine.dispose()
    finally:
        sqlalchemy.event.remove(*hook)


def _unflushed(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def _repair_paths(path: Path) -> None:
    """Point the paths inside a database at its own folder, which may have been moved."""
    root = str(path.parent / ARTIFACTS)
    with sqlite3.connect(path, timeout=10) as database:
        row = database.execute(
            "SELECT artifact_location FROM experiments WHERE experiment_id = 0"
        ).fetchone()
        old = str(row[0]).removesuffix("/0") if row else root
        if old == root or not old.endswith(f"/{ARTIFACTS}"):
            return
        for table, column in LOCATIONS:
            database.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608
                f"WHERE substr({column}, 1, ?) = ?",
                (root, len(old) + 1, len(old) + 1, f"{old}/"),
            )
