"""The processes that answer: this one, or several that share its socket."""

import ctypes
import multiprocessing
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NoReturn

from prometheus_client import multiprocess

from stages.lib import files
from stages.serving import logs, metrics, server, swap
from stages.serving.app import create_app
from stages.serving.guard import Guard
from stages.serving.limits import Limits
from stages.serving.served import Holder

TICK = 0.1  # seconds
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of glibc's mallopt
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Plan:
    """What each process needs to know: who may ask, the file that names the model, limits."""

    guard: Guard
    state: Path
    feedback: Path
    limits: Limits = field(default_factory=Limits)

    def name(self) -> str:
        """The model and its version, for people."""
        told = files.read_json(self.state)
        return f"{told['name']} {told['version']}"


def run(
    plan: Plan, bound: socket.socket, processes: int, scratch: Path, ready: Callable[[], None]
) -> None:
    """Answer on `bound` in so many processes until SIGTERM or SIGINT; `ready` says since when."""
    _more_files()
    if processes == 1:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        answer(plan, bound, ready)
        return
    shared = scratch / "metrics"
    shared.mkdir()
    os.environ[metrics.FOLDER] = str(shared)
    _supervise(plan, bound, processes, ready)


def _leave(*_: object) -> NoReturn:
    """End: before the server listens to signals, and when it has ended and raises them again."""
    sys.exit(0)


def answer(
    plan: Plan, bound: socket.socket, ready: Callable[[], None], *, alone: bool = True
) -> None:
    """Answer in this process. `alone`: no other one takes connections from the socket."""
    _steady_memory()
    numbers = metrics.Metrics()
    holder = Holder()
    swap.take(swap.from_state(plan.state), holder, numbers)
    app = create_app(holder, plan.feedback, plan.guard, plan.limits, numbers)
    watch = swap.watching(plan.state, holder, numbers)
    server.Server(app, holder, plan.limits, watch, ready, alone=alone).run([bound])


def _more_files() -> None:
    """A connection is an open file, and a thousand are few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _steady_memory() -> None:
    """Give the memory of large pictures back to the system at once.

    By itself glibc keeps, for each thread, as much as the largest picture took.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        for option, value in (
            (M_ARENA_MAX, 2),
            (M_MMAP_THRESHOLD, 2**18),
            (M_TRIM_THRESHOLD, 2**20),
        ):
            libc.mallopt(option, value)


def _supervise(plan: Plan, bound: socket.socket, processes: int, ready: Callable[[], None]) -> None:
    """Keep `processes` workers; at the end let each finish what it has."""
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.append(number))
    begun = SPAWN.Event()
    team = [_started(plan, bound, begun) for _ in range(processes)]
    said = False
    while not told:
        time.sleep(TICK)
        if begun.is_set() and not said:
            said = True
            ready()
        for i, worker in enumerate(team):
            if not worker.is_alive() and not told:
                logs.line(event="worker died", level="error", status=worker.exitcode)
                multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
                time.sleep(1)
                team[i] = _started(plan, bound, begun)
    _end(plan, bound, team)


def _end(plan: Plan, bound: socket.socket, team: list[SpawnProcess]) -> None:
    """Let the workers take what waits to be accepted, then finish."""
    server.refuse_new(bound)
    until = time.monotonic() + plan.limits.linger_seconds
    while server.pending(bound) and time.monotonic() < until:
        time.sleep(0.01)
    for worker in team:
        worker.terminate()
    for worker in team:
        worker.join(plan.limits.linger_seconds + plan.limits.finish_seconds + 5)
        worker.kill()


def _started(plan: Plan, bound: socket.socket, begun: Event) -> SpawnProcess:
    worker = SPAWN.Process(target=_worker, args=(plan, bound, begun))
    worker.start()
    return worker


def _worker(plan: Plan, bound: socket.socket, begun: Event) -> None:
    """The life of a worker: until its parent says so, or is gone."""
    os.setpgid(0, 0)  # Ctrl-C is for the parent
    signal.signal(signal.SIGTERM, _leave)
    logs.start()
    answer(plan, bound, begun.set, alone=False)
