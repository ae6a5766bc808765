"""`digits ui`: MLflow's pages on this computer, for the current tracking store."""

import os
import socket
import sys
from contextlib import suppress
from importlib import metadata

from digits.project import workspace
from digits.project.errors import UserError
from digits.tracking import experiment_page, journal_folders, mlflow_import, store_uri
from digits.tracking.tracking_store import (
    TrackingStore,
    artifact_folder,
    current_store,
    embedded_store,
    is_reachable,
)

HOST = "127.0.0.1"


def serve_ui(port: int | None = None) -> None:
    """Replace this process by MLflow's server, which prints the address of the runs.

    It does so when it answers. The server listens on `port`, by default the first free one from
    5000 on. If a configured tracking server answers, only its address is printed.
    """
    store = current_store() if is_reachable(current_store()) else embedded_store()
    if store_uri.uri_scheme(store.uri) in {"http", "https"}:
        address = _address_of_runs(store, store_uri.redact(store.uri))
        print(f"the tracking server has the pages: {address}", flush=True)
        return
    if not list(metadata.distributions(name="mlflow")):  # mlflow-skinny has no pages
        raise UserError("MLflow has no pages here; install digits[train] in place of digits")
    journal_folders.close_dead_runs()
    free = choose_port(port, 5000)
    address = _address_of_runs(store, f"http://{HOST}:{free}")
    notes = [str(store)]
    print("starting MLflow's server, which takes some seconds", file=sys.stderr, flush=True)
    if os.isatty(2):  # MLflow's own notes are of no use there
        log = workspace.state_folder() / "ui.log"
        log.parent.mkdir(exist_ok=True)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
        notes.append(f"log in {os.path.relpath(log)}")
    line = f"{address}\n({'; '.join(notes)}; Ctrl-C ends it)"
    command = [sys.executable, "-m", "digits.tracking.mlflow_server", line, HOST, str(free)]
    mlflow_import.configure_mlflow()
    settings = {
        # The environment hides addresses: every user can read the passwords of a command line.
        store_uri.URI_VARIABLE: store.uri,
        "_MLFLOW_SERVER_FILE_STORE": store.uri,
        "_MLFLOW_SERVER_REGISTRY_STORE": store.uri,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(artifact_folder(store)),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # unused here
    }
    os.execve(sys.executable, command, os.environ | settings)  # noqa: S606  (no shell is needed)


def _address_of_runs(store: TrackingStore, server: str) -> str:
    """Return the address of the runs' page on `server`; of `server` alone if the store fails."""
    try:
        return experiment_page.page_address(store, server)
    except Exception:  # such as a store that this user may only read
        return server


def choose_port(port: int | None, first: int) -> int:
    """Return `port`, 0 for any; None is the first free one among the 100 from `first` on.

    Raises UserError when it is taken, or all of them are.
    """
    for number in range(first, first + 100) if port is None else [port]:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, number))
            return int(probe.getsockname()[1])
    raise UserError(f"cannot listen on {HOST} port {number} (it is taken); choose another --port")
