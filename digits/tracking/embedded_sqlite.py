"""Creation and repair of the local SQLite store."""

import sqlite3
from contextlib import closing
from pathlib import Path

from digits.project import atomic_files

ARTIFACTS = "mlartifacts"
# Every column in which MLflow keeps an absolute path to artifacts.
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def prepare_database(path: Path) -> None:
    """Create the SQLite database `path` if it is missing; correct its paths if it was moved.

    The caller holds the lock "mlflow".
    """
    if path.exists() and path.stat().st_size > 0:
        _repair_paths(path)
        return
    import sqlalchemy
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # `atomic_file` flushes the whole file at its end: no need to flush each of many migrations.
    hook = (sqlalchemy.Engine, "connect", _disable_flushing)
    sqlalchemy.event.listen(*hook)
    try:
        with atomic_files.atomic_file(path) as partial:
            partial.unlink(missing_ok=True)  # half a database of a killed process
            SqlAlchemyStore(f"sqlite:///{partial}", str(path.parent / ARTIFACTS)).engine.dispose()
    finally:
        sqlalchemy.event.remove(*hook)


def _disable_flushing(connection: sqlite3.Connection, _entry: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def _repair_paths(path: Path) -> None:
    """Let the artifact paths in a database name its own folder, which may have been moved."""
    root = str(path.parent / ARTIFACTS)
    query = "SELECT artifact_location FROM experiments WHERE experiment_id = 0"
    with closing(sqlite3.connect(path, timeout=10)) as database, database:
        row = database.execute(query).fetchone()
        old = str(row[0]).removesuffix("/0") if row else root
        if old == root or not old.endswith(f"/{ARTIFACTS}"):
            return
        n = len(old) + 1
        for table, column in LOCATIONS:
            change = f"UPDATE {table} SET {column} = ? || substr({column}, ?)"  # noqa: S608
            where = f"WHERE substr({column}, 1, ?) = ?"
            database.execute(f"{change} {where}", (root, n, n, f"{old}/"))
