"""The tracking stores: the configured one, and the one embedded in this checkout.

Also how a store's failures are reported. What its exceptions mean is in `store_errors`.
"""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from digits.project import workspace
from digits.project.errors import UserError
from digits.project.interrupts import defer_interrupts
from digits.project.process_locks import process_lock
from digits.tracking import embedded_sqlite, mlflow_import, store_errors, store_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "digits"
NOTE_TAG = "mlflow.note.content"  # MLflow shows it as the description
DESCRIPTION = """\
Each run trained one network, or searched for good values (`digits tune`). `test/accuracy` is \
the share of the test images that are classified correctly; \
`gate` tells whether the model was good enough to become champion, and `changed` which values \
differ from the recipe or from the last commit. To compare runs, mark two and press Compare."""
T = TypeVar("T")


class StoreUnavailableError(UserError):
    """A store does not answer or failed; a later try may work."""


@dataclass(frozen=True)
class TrackingStore:
    """One tracking store; its first use opens it, and creates it where it is missing."""

    uri: str
    embedded: bool

    @property
    def client(self) -> "MlflowClient":
        """Return a client of this store, independent of MLFLOW_TRACKING_URI.

        Raises StoreUnavailableError when the file of a store cannot be created or read.
        """
        with mlflow_import.quick_imports():
            from mlflow import MlflowClient

            if store_uri.uri_scheme(self.uri) == "sqlite":
                _prepare_file(store_uri.sqlite_file(self.uri))
            return MlflowClient(self.uri, self.uri)

    @property
    def experiment(self) -> str:
        """The id of the experiment with this project's runs; created or restored if needed."""
        client, name = self.client, os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            with process_lock("mlflow"):  # another process may have just created it
                if (experiment := client.get_experiment_by_name(name)) is None:
                    root, tags = _artifact_root(self, name), {NOTE_TAG: DESCRIPTION}
                    return str(client.create_experiment(name, root, tags))
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)

    def __str__(self) -> str:
        return "this checkout's own store" if self.embedded else store_uri.redact(self.uri)


@dataclass(frozen=True)
class StoredRun:
    """A run and the store that has it."""

    store: TrackingStore
    run_id: str


def current_store() -> TrackingStore:
    """The store for runs and versions: the configured one, else the embedded one.

    Raises UserError for a wrong address.
    """
    uri = store_uri.configured_uri()
    return embedded_store() if uri is None else TrackingStore(uri, embedded=False)


def embedded_store() -> TrackingStore:
    """The store inside this checkout. Raises StoreUnavailableError outside of one."""
    if workspace.find_state_root() is None:
        found = f"there is no tracking store: no dvc.yaml in {Path.cwd()} or above"
        where = f"run this in a checkout of the project, or set {store_uri.URI_VARIABLE}"
        raise StoreUnavailableError(f"{found}; {where}")
    return TrackingStore(store_uri.embedded_uri(), embedded=True)


def lookup_stores() -> list[TrackingStore]:
    """The stores to search: the current one, then the embedded one where its file exists."""
    if workspace.find_state_root() is None:
        uri = store_uri.configured_uri()
        return [] if uri is None else [TrackingStore(uri, embedded=False)]
    current = current_store()
    if current.embedded:
        return [current]
    embedded = embedded_store()
    exists = store_uri.sqlite_file(embedded.uri).exists()
    return [current, embedded] if exists else [current]


def is_reachable(store: TrackingStore) -> bool:
    """Whether a store answers now; if it does not, one line on stderr says so."""
    if (problem := store_uri.connection_problem(store.uri)) is not None:
        _warn(store, f"does not answer ({problem})")
    return problem is None


def call_or_warn(store: TrackingStore, call: Callable[[], T]) -> T | None:
    """Return the result of `call`; None, and one line on stderr, when the store fails.

    Work goes on without tracking, whatever the exception is. Ctrl-C in a call to SQLite waits,
    because the database would stay locked. A server has no such lock, and may take long.
    """
    try:
        if is_reachable(store):
            with defer_interrupts() if store.embedded else nullcontext():
                return call()
    except Exception as error:
        _warn(store, f"failed ({store_uri.describe_error(error)})")
    return None


def _warn(store: TrackingStore, problem: str) -> None:
    """Print, once for each store, why it cannot be used."""
    advice = "what runs log is kept in .state/runs, and `digits send` sends it later"
    store_uri.warn_once(f"{store} {problem}; {advice}", topic=store.uri)


@contextmanager
def translate_errors(store: TrackingStore) -> Iterator[None]:
    """Raise a UserError for any exception of a store.

    It is a StoreUnavailableError unless the store rejects the request.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        message = f"{store} failed ({store_uri.describe_error(error)}); mend it, or try again later"
        if meaning := store_errors.explain(error):
            message = f"{store} cannot be used: {meaning}"
        rejected = store_errors.is_rejection(error)
        raise (UserError if rejected else StoreUnavailableError)(message) from error


def found_or_none(request: Callable[[], T]) -> T | None:
    """Return the answer of a store; None when it has no such object."""
    try:
        return request()
    except Exception as error:
        if not store_errors.is_not_found(error):
            raise
    return None


@functools.cache
def _prepare_file(path: Path) -> None:
    if path.exists() and not os.access(path, os.W_OK):  # a lock may have nowhere to be, either
        return
    try:
        # Several processes at the first use of a database destroy it (measured: 6 of 6 failed).
        with process_lock("mlflow"):
            if not path.exists():
                _warn_of_worktree(path.parent)
            embedded_sqlite.prepare_database(path)
    except UserError:
        raise
    except Exception as error:
        problem = f"{path} cannot be used ({store_uri.describe_error(error)})"
        advice = "run this again" if store_errors.explain(error) else "mend it or move it away"
        raise StoreUnavailableError(f"{problem}; {advice}") from error


def _warn_of_worktree(folder: Path) -> None:
    """Warn before a store is made in a git worktree, whose main checkout has one."""
    file = folder / ".git"
    text = file.read_text() if file.is_file() else ""
    main = Path(text.removeprefix("gitdir: ").partition("/.git/worktrees/")[0], "mlflow.db")
    if main.is_absolute() and main.exists():
        found = f"{folder} is a git worktree and gets a store of its own, with versions from 1 on"
        store_uri.warn_once(f"{found}; {store_uri.URI_VARIABLE}=sqlite:///{main} shares the other")


def _artifact_root(store: TrackingStore, name: str) -> str | None:
    """The folder for the files of a new experiment; None for a server, which has its own."""
    scheme = store_uri.uri_scheme(store.uri)
    if scheme in {"http", "https"}:
        return None
    return f"{os.environ.get('MLFLOW_DEFAULT_ARTIFACT_ROOT') or artifact_folder(store)}/{name}"


def artifact_folder(store: TrackingStore) -> Path:
    """Return the folder for the files of runs, of a store that is no server."""
    if store_uri.uri_scheme(store.uri) == "sqlite":
        return store_uri.sqlite_file(store.uri).parent / embedded_sqlite.ARTIFACTS
    return workspace.work_folder() / embedded_sqlite.ARTIFACTS


def locate_artifacts(store: TrackingStore, uri: str) -> str:
    """Return where the artifacts at `uri` are if the folder of a SQLite store was moved."""
    _, found, path = uri.rpartition(f"/{embedded_sqlite.ARTIFACTS}/")
    is_here = store_uri.uri_scheme(store.uri) == "sqlite" and found and "://" not in uri
    return f"{artifact_folder(store)}/{path}" if is_here and not Path(uri).exists() else uri
