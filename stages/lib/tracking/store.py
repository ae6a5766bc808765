"""The tracking store in use: the configured one when it answers, else the embedded one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import filelock

from stages.lib import files
from stages.lib.errors import UserError
from stages.lib.tracking import address, database
from stages.lib.tracking.database import ARTIFACTS, quiet

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "digits"


@dataclass(frozen=True)
class Store:
    """One tracking store. `unsent`: embedded, although another one is configured."""

    uri: str
    embedded: bool
    unsent: bool = False

    @property
    def client(self) -> "MlflowClient":
        """A client of this store, whatever the environment says."""
        quiet()
        from mlflow import MlflowClient

        return MlflowClient(self.uri, self.uri)

    @property
    def experiment(self) -> str:
        """The id of the experiment that holds this project's runs; made when it is missing."""
        return _experiment(self)

    def __str__(self) -> str:
        return "this checkout's own store" if self.embedded else address.redact(self.uri)


@dataclass(frozen=True)
class Target:
    """A run and the store it is in."""

    store: Store
    run_id: str


def connect() -> Store:
    """The store that runs and versions go to now.

    One that is configured but does not answer costs seconds and one line on stderr; then it
    is the embedded one. Raises UserError for a wrong address, or when the embedded store
    cannot be used.
    """
    uri = address.configured()
    if uri is None:
        return embedded()
    problem = address.trouble(uri)
    if problem is None:
        try:
            return _opened(Store(uri, embedded=False))
        except Exception as error:  # any failure of a remote store is an outage
            problem = address.reason(error)
    address.warn(
        f"{address.redact(uri)} cannot be used ({problem}); "
        "runs are kept in this checkout, `digits send` sends them later"
    )
    return embedded()


def embedded() -> Store:
    """The store inside this checkout, made on first use.

    Raises UserError when it cannot be made or read.
    """
    store = Store(address.embedded(), embedded=True, unsent=address.configured() is not None)
    try:
        return _opened(store)
    except Exception as error:
        path = address.sqlite_file(store.uri)
        message = f"{path} cannot be used ({address.reason(error)}); mend it or move it away"
        raise UserError(message) from error


def stores() -> list[Store]:
    """Where to look things up: the store in use, then the embedded one where there is one."""
    first = connect()
    if first.embedded or not address.sqlite_file(address.embedded()).exists():
        return [first]
    return [first, embedded()]


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Let one process of this checkout at a time do `name`; the others wait for it."""
    folder = files.home() / ".state"
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / f"{name}.lock"):
        yield


def _opened(store: Store) -> Store:
    """`store` after its tables and its experiment are there."""
    if address.scheme(store.uri) in {"http", "https"}:
        _ = store.experiment
        return store
    # Several processes at the first use of a database destroy it (measured: 6 of 6 failed).
    with lock("mlflow"):
        if address.scheme(store.uri) == "sqlite":
            database.prepare(address.sqlite_file(store.uri))
        _ = store.experiment
    return store


def _experiment(store: Store) -> str:
    from mlflow.exceptions import MlflowException

    client = store.client
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, _artifacts(store, name)))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)  # another process was faster
            assert found is not None
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _artifacts(store: Store, name: str) -> str | None:
    """Where a new experiment keeps its files; a server decides that itself."""
    kind = address.scheme(store.uri)
    if kind in {"http", "https"}:
        return None
    folder = address.sqlite_file(store.uri).parent if kind == "sqlite" else files.home()
    given = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    return f"{given or folder / ARTIFACTS}/{name}"
