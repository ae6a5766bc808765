"""`digits ui`: MLflow's pages on this computer, for the current tracking store."""

import os
import socket
import sys
from contextlib import suppress
from importlib import metadata

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


def serve_ui(port: int = 5000) -> None:
    """Print the address of the runs, and replace this process by MLflow's server.

    The server listens on `port` or the next free one. If a configured tracking server answers,
    only its address is printed.
    """
    store = current_store() if is_reachable(current_store()) else embedded_store()
    if store_uri.uri_scheme(store.uri) in {"http", "https"}:
        address = _address_of_runs(store, store_uri.redact(store.uri))
        print(f"the tracking server has the pages: {address}", flush=True)
        return
    if not list(metadata.distributions(name="mlflow")):  # mlflow-skinny has no pages
        raise UserError("MLflow has no pages here; install digits[train] in place of digits")
    journal_folders.close_dead_runs()
    free = first_free_port(port)
    address = _address_of_runs(store, f"http://{HOST}:{free}")
    print(f"{address}\n({store}; ready in some seconds, Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(free)]
    command += ["--workers", "1", "--uvicorn-opts", "--no-access-log"]
    mlflow_import.configure_mlflow()
    settings = {
        # The environment hides addresses: every user can read the passwords of a command line.
        store_uri.URI_VARIABLE: store.uri,
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_ARTIFACTS_DESTINATION": str(artifact_folder(store)),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # unused here, and several processes
    }
    os.execve(sys.executable, command, os.environ | settings)  # noqa: S606  (no shell is needed)


def _address_of_runs(store: TrackingStore, server: str) -> str:
    """Return the address of the runs' page on `server`; of `server` alone if the store fails."""
    try:
        return experiment_page.page_address(store, server)
    except Exception:  # such as a store that this user may only read
        return server


def first_free_port(first: int) -> int:
    """The first free port among the 100 from `first` on; UserError when all are taken."""
    for port in range(first, min(first + 100, 65536)):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port
    raise UserError(f"port {first} and the ports after it are taken; choose another with --port")
