"""MLflow's pages on this computer, for the store that runs go to."""

import os
import socket
import sys

from stages.lib import files
from stages.lib.errors import UserError
from stages.lib.tracking import address, journal
from stages.lib.tracking.database import ARTIFACTS
from stages.lib.tracking.store import answers, connect, embedded

HOST = "127.0.0.1"


def serve_ui(port: int = 5000) -> None:
    """Become MLflow's server until Ctrl-C, on `port` or the next free one.

    When a tracking server is configured and answers, its address is all that is needed.
    """
    store = connect()
    store = store if answers(store) else embedded()
    if address.scheme(store.uri) in {"http", "https"}:
        print(f"the tracking server has them: {address.redact(store.uri)}", flush=True)
        return
    journal.tidy()
    free = free_port(port)
    print(f"http://{HOST}:{free}  ({store}; there in some seconds, Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(free)]
    command += ["--workers", "1", "--uvicorn-opts", "--no-access-log"]
    # Addresses go this way, because a command line with a password can be read by all.
    addresses = {
        address.VARIABLE: store.uri,
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_ARTIFACTS_DESTINATION": str(files.home() / ARTIFACTS),
    }
    # The jobs are six processes and 600 MB that nobody here needs.
    settings = {**os.environ, **addresses, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    os.execve(sys.executable, command, settings)  # noqa: S606  (no shell is needed)


def free_port(first: int) -> int:
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
