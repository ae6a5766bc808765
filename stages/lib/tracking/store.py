"""The tracking stores: the configured one, and the one embedded in this checkout."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import filelock

from stages.lib import files
from stages.lib.errors import UserError
from stages.lib.tracking import address, database
from stages.lib.tracking.database import ARTIFACTS, quiet

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "digits"
T = TypeVar("T")
quiet()  # here, because MLflow reads it when it is imported, by whatever module


class OutageError(UserError):
    """A store does not answer or failed; the same may work later."""


@dataclass(frozen=True)
class Store:
    """One tracking store; it is opened, and made where it is missing, at its first use."""

    uri: str
    embedded: bool

    @property
    def client(self) -> "MlflowClient":
        """A client of this store, whatever the environment says.

        Raises OutageError when a store that is a file cannot be made or read.
        """
        from mlflow import MlflowClient

        if address.scheme(self.uri) == "sqlite":
            _prepare(address.sqlite_file(self.uri))
        return MlflowClient(self.uri, self.uri)

    @property
    def experiment(self) -> str:
        """The id of the experiment that holds this project's runs; made when it is missing."""
        client = self.client
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = client.get_experiment_by_name(name)
        if found is None:
            with lock("mlflow"):
                found = client.get_experiment_by_name(name)  # another process may have been faster
                if found is None:
                    return str(client.create_experiment(name, _artifacts(self, name)))
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def __str__(self) -> str:
        return "this checkout's own store" if self.embedded else address.redact(self.uri)


@dataclass(frozen=True)
class Target:
    """A run and the store it is in."""

    store: Store
    run_id: str


def connect() -> Store:
    """The store that runs and versions go to: the configured one, else the embedded one.

    Raises UserError for a wrong address.
    """
    uri = address.configured()
    return embedded() if uri is None else Store(uri, embedded=False)


def embedded() -> Store:
    """The store inside this checkout."""
    return Store(address.embedded(), embedded=True)


def stores() -> list[Store]:
    """Where to look things up: the store in use, then the embedded one where there is one."""
    first, here = connect(), embedded()
    others = [] if first.embedded or not address.sqlite_file(here.uri).exists() else [here]
    return [first, *others]


def answers(store: Store) -> bool:
    """Whether a store can be asked now; when it cannot, one line on stderr says so."""
    problem = address.trouble(store.uri)
    if problem is not None:
        tell_outage(store, f"does not answer ({problem})")
    return problem is None


def tell_outage(store: Store, problem: str) -> None:
    """Say on stderr, once for each store, that it cannot be used."""
    advice = "what runs log is kept in .state/runs, `digits send` sends it later"
    address.warn(f"{store} {problem}; {advice}", topic=store.uri)


def refused(error: Exception) -> bool:
    """Whether the store works but will not take this: trying again is no use."""
    codes = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
    return getattr(error, "error_code", None) in codes or isinstance(error, FileNotFoundError)


def present(ask: Callable[[], T]) -> T | None:
    """What a store answers; None when it has no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
    return None


@contextmanager
def asking(store: Store) -> Iterator[None]:
    """Turn what a store throws into a UserError: OutageError where the same may work later."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        message = f"{store} failed ({address.reason(error)}); mend it, or try again later"
        raise (UserError if refused(error) else OutageError)(message) from error


def lock(name: str) -> filelock.BaseFileLock:
    """Held by one process of this checkout at a time; the others wait for it."""
    folder = files.home() / ".state"
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder / f"{name}.lock")


@functools.cache
def _prepare(path: Path) -> None:
    try:
        # Several processes at the first use of a database destroy it (measured: 6 of 6 failed).
        with lock("mlflow"):
            database.prepare(path)
    except Exception as error:
        message = f"{path} cannot be used ({address.reason(error)}); mend it or move it away"
        raise OutageError(message) from error


def _artifacts(store: Store, name: str) -> str | None:
    """Where a new experiment keeps its files; a server decides that itself."""
    kind = address.scheme(store.uri)
    if kind in {"http", "https"}:
        return None
    folder = address.sqlite_file(store.uri).parent if kind == "sqlite" else files.home()
    given = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    return f"{given or folder / ARTIFACTS}/{name}"
