"""The processes of a service: the port, Granian's workers that answer on it, and their end.

This process follows the registry and answers nothing. Granian starts the workers, starts those
that die again, and closes connections whose head does not come in time.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from digits.project import atomic_files, workspace
from digits.project.errors import UserError
from digits.service import access_control, json_logs
from digits.service.admission_limits import AdmissionLimits, WorkerSettings

# By itself glibc keeps, for each thread, as much memory as the largest picture took.
MALLOC_SETTINGS = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(2**18),
    "MALLOC_TRIM_THRESHOLD_": str(2**20),
}


def run_service(
    model: str,
    host: str,
    port: int,
    *,
    workers: int = 1,
    token: str | None = None,
    limits: AdmissionLimits | None = None,
) -> None:
    """Serve `model` until SIGTERM or Ctrl-C, and finish what was asked.

    Raises UserError when there is no such model, when the port is taken, and when others
    could reach the service without a token.
    """
    from digits.service import registry_watcher  # MLflow: in this process alone

    allowed, limits = access_control.access_control_for(host, token), limits or AdmissionLimits()
    with reserve_address(host, port) as address, tempfile.TemporaryDirectory("-digits") as folder:
        scratch, feedback = Path(folder), workspace.state_root() / "data/feedback"
        plan = WorkerSettings(
            allowed, limits, feedback, scratch / "model.json", scratch / "leaving"
        )
        granian = _granian(address, workers, limits)
        registry_watcher.watch_registry(model, plan.state)
        _prepare(workers, scratch)
        granian.on_startup(partial(_linger, granian, plan))
        threading.Thread(target=_announce, args=(address, plan.state), daemon=True).start()
        granian.serve(target_loader=partial(_application, plan), wrap_loader=False)


def _granian(address: tuple[str, int], workers: int, limits: AdmissionLimits) -> Any:
    """The server within `limits`; it logs as `digits.service.json_logs` says from now on."""
    return Granian(
        "digits.service.app",
        *address,
        interface=Interfaces.RSGI,
        workers=workers,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=limits.connections,
        http1_settings=HTTP1Settings(1000 * limits.head_seconds, max_buffer_size=limits.head),
        log_level=LogLevels.warning,
        log_dictconfig=json_logs.LOGGING_CONFIG,
        respawn_failed_workers=True,
        workers_kill_timeout=limits.finish_seconds,
    )


def _application(plan: WorkerSettings) -> Any:
    """The application of a worker: only there it is imported."""
    from digits.service import hot_swap

    return hot_swap.create_worker_app(plan)


@contextlib.contextmanager
def reserve_address(host: str, port: int) -> Iterator[tuple[str, int]]:
    """The address that workers listen on, and that no other service gets; port 0 is any."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except (OSError, OverflowError) as error:
            found = f"cannot listen on {host} port {port} ({error})"
            raise UserError(f"{found}; give another --port or --host") from error
        yield bound.getsockname()[:2]


def _prepare(workers: int, scratch: Path) -> None:
    """Set what workers inherit."""
    multiprocessing.set_start_method("spawn", force=True)  # not a copy of this process's threads
    os.environ |= MALLOC_SETTINGS
    if workers > 1:
        (scratch / "metrics").mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(scratch / "metrics")


def _linger(granian: Any, plan: WorkerSettings) -> None:
    """At SIGTERM and Ctrl-C, answer for a moment more, and close each connection that asks.

    A client may have sent a request that is still on its way on a connection that seems idle.
    """

    def leave(*signal_: Any) -> None:
        plan.leaving.touch()
        end = granian.signal_handler_interrupt
        threading.Timer(plan.limits.linger_seconds, end, signal_).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)


def _announce(address: tuple[str, int], state: Path) -> None:
    """Print the address and the model as soon as somebody listens there."""
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address):
            break
        time.sleep(0.05)
    host, port = address
    told = atomic_files.read_json(state)
    where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    print(f"{where}  ({told['name']} {told['version']}; Ctrl-C ends it)", flush=True)
