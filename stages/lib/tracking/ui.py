"""MLflow's pages on this computer, for the store that runs go to."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stages.lib import files
from stages.lib.errors import UserError
from stages.lib.tracking import address, journal
from stages.lib.tracking.database import ARTIFACTS
from stages.lib.tracking.store import Store, answers, connect, embedded

HOST = "127.0.0.1"
PATIENCE = 120  # seconds; 8 s on an idle computer, far more on a busy one


def serve_ui(port: int = 5000) -> None:
    """Serve the pages until Ctrl-C, on `port` or the next free one.

    When a tracking server is configured and answers, its address is all that is needed.
    Raises UserError when the pages do not come up.
    """
    store = connect()
    store = store if answers(store) else embedded()
    if address.scheme(store.uri) in {"http", "https"}:
        print(f"the tracking server has them: {address.bare(store.uri)}", flush=True)
        return
    journal.tidy()
    free = free_port(port)
    with _server(store, free) as (process, log):
        _await(process, f"http://{HOST}:{free}", log)
        print(f"http://{HOST}:{free}  ({store}; Ctrl-C ends it)", flush=True)
        process.wait()
        raise UserError(f"the pages ended by themselves; {log} says why")


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


@contextmanager
def _server(store: Store, port: int) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """An MLflow server and its log; ended with all its processes on the way out.

    SIGTERM, and a terminal that is closed, do as Ctrl-C does.
    """
    log = files.home() / ".state" / "ui.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--workers", "1"],
            env=_environment(store),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process, log
        except KeyboardInterrupt:
            print("", flush=True)
        finally:
            _end(process)


def _environment(store: Store) -> dict[str, str]:
    """Addresses go this way, because a command line with a password can be read by all."""
    kept = {k: v for k, v in os.environ.items() if k != address.VARIABLE}
    return kept | {
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_ARTIFACTS_DESTINATION": str(files.home() / ARTIFACTS),
        # Six processes and 600 MB for jobs that nobody here starts.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _await(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until the pages answer. Raises UserError with the log's last line if they do not."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if address.trouble(url) is None:
            return
        time.sleep(0.2)
    lines = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
    raise UserError(f"MLflow's pages did not start ({lines[-1][:200]}); {log} has the rest")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process group: politely, then for certain."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
