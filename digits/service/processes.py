"""The processes of a service: this one, which follows the registry, and its workers.

Granian starts the workers and replaces those that die. It also closes connections whose head
arrives too slowly. A worker itself is in `digits.service.hot_swap`.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from digits.project import atomic_files, workspace
from digits.project.errors import UserError
from digits.service import access_control, json_logs, prometheus_metrics
from digits.service.admission_limits import AdmissionLimits, WorkerSettings

FIRST_PORT = 8000
MAX_FILES = 8192  # open files of a worker, connections among them
# By default glibc keeps for each thread as much memory as the largest image needed.
MALLOC_SETTINGS = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(2**18),
    "MALLOC_TRIM_THRESHOLD_": str(2**20),
}


def run_service(
    model: str,
    host: str,
    port: int | None,
    *,
    workers: int = 1,
    tokens: tuple[str, ...] = (),
    log: Path | None = None,
    limits: AdmissionLimits | None = None,
) -> None:
    """Serve `model` until SIGTERM or Ctrl-C, then answer the remaining requests and return.

    Without `port`, it listens on the first free one from FIRST_PORT on. The log goes to the file
    `log`, by default to one in the state folder if standard error is a terminal. Raises UserError
    when there is no such model, when the port is taken, or when other computers could reach the
    service without a token.
    """
    from digits.service import registry_watcher  # imports MLflow, which workers must not load

    host = access_control.plain_address(host)
    access, limits = access_control.access_control_for(host, tokens), limits or AdmissionLimits()
    with reserve_address(host, port) as address, tempfile.TemporaryDirectory("-digits") as scratch:
        folder, feedback = Path(scratch), workspace.work_folder() / "data/feedback"
        state, stop_file = folder / "model.json", folder / "stop"
        settings = WorkerSettings(access, limits, feedback, state, stop_file)
        server = _server(address, workers, limits)
        registry_watcher.watch_registry(model, state)
        _prepare_environment(workers, folder)
        server.on_startup(partial(_delay_shutdown, server, settings))
        if log is None and os.isatty(2):
            log = workspace.state_folder() / f"serve-{address[1]}.log"
        threading.Thread(target=_announce, args=(address, state, log), daemon=True).start()
        with json_logs.write_log_to(log):
            _serve(server, partial(_load_application, settings), address)


def _serve(server: Any, load: Callable[..., Any], address: tuple[str, int]) -> None:
    """Serve until the end. Raises UserError if another program came to listen there.

    Granian finds that out here, or in its workers, which then end one after the other.
    """
    try:
        server.serve(target_loader=load, wrap_loader=False)
    except (RuntimeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not error.code:
            raise
        with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                free.bind(address)
                free.listen()
            except OSError as problem:
                raise _cannot_listen(*address, problem.strerror or str(problem)) from None
        raise


def _server(address: tuple[str, int], workers: int, limits: AdmissionLimits) -> Any:
    """Return the HTTP server within `limits`. From now on libraries log through `json_logs`."""
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


def _load_application(settings: WorkerSettings) -> Any:
    """Return the application of a worker. This process does not import it."""
    from digits.service import hot_swap

    return hot_swap.create_worker_app(settings)


@contextlib.contextmanager
def reserve_address(host: str, port: int | None) -> Iterator[tuple[str, int]]:
    """Bind the address that workers will listen on, so that no other program takes it.

    Port 0 means any free port, None the first free one from FIRST_PORT on. Other systems than
    Linux only check the address. Raises UserError when it cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for number in range(FIRST_PORT, FIRST_PORT + 100) if port is None else [port]:
            try:
                bound.bind((host, number))
                break
            except OSError as error:
                problem = error.strerror or str(error)
        else:
            raise _cannot_listen(host, number, problem)
        address = bound.getsockname()[:2]
        if sys.platform != "linux":  # elsewhere the workers could not bind it, too
            bound.close()
        yield address


def _cannot_listen(host: str, port: int, reason: str) -> UserError:
    """Return the error for a person."""
    found = f"cannot listen on {host} port {port} ({reason})"
    return UserError(f"{found}; choose another --port or --host")


def _prepare_environment(workers: int, scratch: Path) -> None:
    """Set what workers inherit: their start method and environment variables."""
    multiprocessing.set_start_method("spawn", force=True)  # not a copy of this process's threads
    with contextlib.suppress(ImportError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, MAX_FILES)), hard))
    os.environ |= MALLOC_SETTINGS
    if workers > 1:
        (scratch / "metrics").mkdir()
        os.environ[prometheus_metrics.FOLDER] = str(scratch / "metrics")


def _delay_shutdown(server: Any, settings: WorkerSettings) -> None:
    """At SIGTERM and Ctrl-C, answer for a moment longer, and close each connection after that.

    A connection that seems idle may have a request on its way.
    """

    def shut_down(*signal_: Any) -> None:
        settings.stop_file.touch()
        interrupt = server.signal_handler_interrupt
        threading.Timer(settings.limits.linger_seconds, interrupt, signal_).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, shut_down)


def _announce(address: tuple[str, int], state: Path, log: Path | None) -> None:
    """Print the address, the model and the log's file as soon as a worker listens."""
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address):
            break
        time.sleep(0.05)
    host, port = address
    try:
        model = str(atomic_files.read_json(state)["title"])
    except UserError:  # the service has ended already, and it was another program that answered
        return
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    notes = [model, *([f"log in {os.path.relpath(log)}"] if log else []), "Ctrl-C ends it"]
    print(f"{url}  ({'; '.join(notes)})", flush=True)
