"""MLflow's pages on this computer, for the store that runs go to."""

import os
import socket
import sys

from digits.project import workspace
from digits.project.errors import UserError
from digits.tracking import journal_folders, store_uri
from digits.tracking.embedded_sqlite import ARTIFACTS
from digits.tracking.tracking_store import current_store, embedded_store, is_reachable

HOST = "127.0.0.1"


def serve_ui(port: int = 5000) -> None:
    """Become MLflow's server until Ctrl-C, on `port` or the next free one.

    When a tracking server is configured and answers, its address is all that is needed.
    """
    store = current_store()
    store = store if is_reachable(store) else embedded_store()
    if store_uri.uri_scheme(store.uri) in {"http", "https"}:
        print(f"the tracking server has them: {store_uri.redact(store.uri)}", flush=True)
        return
    journal_folders.close_dead_runs()
    free = first_free_port(port)
    print(f"http://{HOST}:{free}  ({store}; there in some seconds, Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(free)]
    command += ["--workers", "1", "--uvicorn-opts", "--no-access-log"]
    # Addresses go this way, because a command line with a password can be read by all.
    addresses = {
        store_uri.URI_VARIABLE: store.uri,
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_ARTIFACTS_DESTINATION": str(workspace.state_root() / ARTIFACTS),
    }
    # The jobs are six processes and 600 MB that nobody here needs.
    settings = {**os.environ, **addresses, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    os.execve(sys.executable, command, settings)  # noqa: S606  (no shell is needed)


def first_free_port(first: int) -> int:
    """The first port from `first` that nothing listens on; UserError when 100 are taken."""
    for port in range(first, min(first + 100, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise UserError(f"port {first} and the ports after it are taken; give another with --port")
