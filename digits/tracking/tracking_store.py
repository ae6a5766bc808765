"""The tracking stores: the configured one, and the one embedded in this checkout."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from digits.project import workspace
from digits.project.errors import UserError
from digits.tracking import embedded_sqlite, store_uri
from digits.tracking.embedded_sqlite import ARTIFACTS, silence_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient
from digits.project.process_locks import process_lock

EXPERIMENT = "digits"
T = TypeVar("T")
silence_mlflow()  # here, because MLflow reads it when it is imported, by whatever module


class StoreUnavailableError(UserError):
    """A store does not answer or failed; the same may work later."""


@dataclass(frozen=True)
class TrackingStore:
    """One tracking store; it is opened, and made where it is missing, at its first use."""

    uri: str
    embedded: bool

    @property
    def client(self) -> "MlflowClient":
        """A client of this store, whatever the environment says.

        Raises OutageError when a store that is a file cannot be made or read.
        """
        from mlflow import MlflowClient

        if store_uri.uri_scheme(self.uri) == "sqlite":
            _prepare(store_uri.sqlite_file(self.uri))
        return MlflowClient(self.uri, self.uri)

    @property
    def experiment(self) -> str:
        """The id of the experiment that holds this project's runs; made when it is missing."""
        client = self.client
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = client.get_experiment_by_name(name)
        if found is None:
            with process_lock("mlflow"):
                found = client.get_experiment_by_name(name)  # another process may have been faster
                if found is None:
                    return str(client.create_experiment(name, _artifacts(self, name)))
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def __str__(self) -> str:
        return "this checkout's own store" if self.embedded else store_uri.redact(self.uri)


@dataclass(frozen=True)
class StoredRun:
    """A run and the store it is in."""

    store: TrackingStore
    run_id: str


def current_store() -> TrackingStore:
    """The store that runs and versions go to: the configured one, else the embedded one.

    Raises UserError for a wrong address.
    """
    uri = store_uri.configured_uri()
    return embedded_store() if uri is None else TrackingStore(uri, embedded=False)


def embedded_store() -> TrackingStore:
    """The store inside this checkout."""
    return TrackingStore(store_uri.embedded_uri(), embedded=True)


def lookup_stores() -> list[TrackingStore]:
    """Where to look things up: the store in use, then the embedded one where there is one."""
    first, here = current_store(), embedded_store()
    others = [] if first.embedded or not store_uri.sqlite_file(here.uri).exists() else [here]
    return [first, *others]


def is_reachable(store: TrackingStore) -> bool:
    """Whether a store can be asked now; when it cannot, one line on stderr says so."""
    problem = store_uri.connection_problem(store.uri)
    if problem is not None:
        warn_outage(store, f"does not answer ({problem})")
    return problem is None


def warn_outage(store: TrackingStore, problem: str) -> None:
    """Say on stderr, once for each store, that it cannot be used."""
    advice = "what runs log is kept in .state/runs, `digits send` sends it later"
    store_uri.warn_once(f"{store} {problem}; {advice}", topic=store.uri)


def is_rejection(error: Exception) -> bool:
    """Whether the store works but will not take this: trying again is no use."""
    codes = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
    return getattr(error, "error_code", None) in codes or isinstance(error, FileNotFoundError)


def found_or_none(ask: Callable[[], T]) -> T | None:
    """What a store answers; None when it has no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
    return None


@contextmanager
def translate_errors(store: TrackingStore) -> Iterator[None]:
    """Turn what a store throws into a UserError: OutageError where the same may work later."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        message = f"{store} failed ({store_uri.describe_error(error)}); mend it, or try again later"
        raise (UserError if is_rejection(error) else StoreUnavailableError)(message) from error


@functools.cache
def _prepare(path: Path) -> None:
    try:
        # Several processes at the first use of a database destroy it (measured: 6 of 6 failed).
        with process_lock("mlflow"):
            embedded_sqlite.prepare_database(path)
    except Exception as error:
        message = (
            f"{path} cannot be used ({store_uri.describe_error(error)}); mend it or move it away"
        )
        raise StoreUnavailableError(message) from error


def _artifacts(store: TrackingStore, name: str) -> str | None:
    """Where a new experiment keeps its files; a server decides that itself."""
    kind = store_uri.uri_scheme(store.uri)
    if kind in {"http", "https"}:
        return None
    folder = store_uri.sqlite_file(store.uri).parent if kind == "sqlite" else workspace.state_root()
    given = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    return f"{given or folder / ARTIFACTS}/{name}"
