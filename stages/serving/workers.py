"""The processes that answer: this one, or several that share its socket."""

import multiprocessing
import os
import resource
import signal
import socket
import time
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from pathlib import Path

from prometheus_client import multiprocess

from stages.lib import files
from stages.serving import logs, metrics, server, swap
from stages.serving.app import create_app
from stages.serving.guard import Guard
from stages.serving.limits import Limits
from stages.serving.served import Holder

TICK = 0.1  # seconds
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


def run(plan: Plan, bound: socket.socket, processes: int, scratch: Path) -> None:
    """Answer on `bound` in so many processes until SIGTERM or SIGINT."""
    _more_files()
    if processes == 1:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)  # Uvicorn raises it again when it has ended
        answer(plan, bound)
        return
    shared = scratch / "metrics"
    shared.mkdir()
    os.environ[metrics.FOLDER] = str(shared)
    _supervise(plan, bound, processes)


def answer(plan: Plan, bound: socket.socket, *, alone: bool = True) -> None:
    """Answer in this process. `alone`: no other one takes connections from the socket."""
    numbers = metrics.Metrics()
    holder = Holder()
    swap.take(swap.from_state(plan.state), holder, numbers)
    app = create_app(holder, plan.feedback, plan.guard, plan.limits, numbers)
    watch = swap.watching(plan.state, holder, numbers)
    server.Server(app, holder, plan.limits, watch, alone=alone).run([bound])


def _more_files() -> None:
    """A connection is an open file, and a thousand are few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _supervise(plan: Plan, bound: socket.socket, processes: int) -> None:
    """Keep `processes` workers; at the end let each finish what it has."""
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.append(number))
    team = [_started(plan, bound) for _ in range(processes)]
    while not told:
        time.sleep(TICK)
        for i, worker in enumerate(team):
            if not worker.is_alive() and not told:
                logs.line(event="worker died", level="error", status=worker.exitcode)
                multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
                time.sleep(1)
                team[i] = _started(plan, bound)
    server.refuse_new(bound)
    until = time.monotonic() + plan.limits.linger_seconds
    while server.pending(bound) and time.monotonic() < until:
        time.sleep(0.01)
    for worker in team:
        worker.terminate()
    for worker in team:
        worker.join(plan.limits.linger_seconds + plan.limits.finish_seconds + 5)
        worker.kill()


def _started(plan: Plan, bound: socket.socket) -> SpawnProcess:
    worker = SPAWN.Process(target=_worker, args=(plan, bound))
    worker.start()
    return worker


def _worker(plan: Plan, bound: socket.socket) -> None:
    """The life of a worker: until its parent says so, or is gone."""
    os.setpgid(0, 0)  # Ctrl-C is for the parent
    signal.signal(signal.SIGTERM, lambda *_: None)
    logs.start()
    answer(plan, bound, alone=False)
