"""Workers on this computer: started, replaced when killed, and stopped in order."""

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import optuna
from optuna.trial import TrialState

from stages.lib import schema
from stages.lib.errors import UserError, uninterrupted
from stages.tuning import storage, study
from stages.tuning.storage import URL

LOOK = 0.5  # seconds between two looks at the workers and the study
REPLACED = 20  # killed workers after which something is wrong
TIDYING = 600.0  # seconds for the epochs that are under way when the workers are stopped
# Workers are forked from a process that does nothing but import what they need, 3 s, once.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["stages.tuning.worker", "torch._dynamo", "mlflow"])


@dataclass(frozen=True)
class Job:
    """What a worker is started for. The study connects again in the worker's process."""

    url: URL
    study: optuna.Study
    values: schema.Params
    inputs: dict[str, str]  # files of training and validation pictures -> SHA-256
    goal: int  # trials of the study
    threads: int
    until: float | None  # time after which no trial is begun
    alone: bool  # there is one worker: the same values in the same order


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    error: Connection  # what it sends when it fails


def run(job: Job, count: int, watch: Callable[[], object]) -> None:
    """Keep up to `count` workers at the job until nothing is left to do; call `watch` meanwhile.

    Waits for trials that run elsewhere. Raises what a worker fails with, and UserError when
    they are killed again and again.
    """
    killed = 0
    with _ended_in_order() as workers:
        while True:
            with uninterrupted():  # in SQLAlchemy's callbacks, Python would swallow Ctrl-C
                gone = [worker for worker in workers if not worker.process.is_alive()]
                killed += sum([_bury(worker, workers) for worker in gone])
                if killed > REPLACED:
                    told = f"{killed} workers were killed; if memory is short, take fewer of them"
                    raise UserError(f"{told} or smaller networks")
                if gone or not workers:
                    study.requeue(job.study)
                late = job.until and time.time() > job.until
                left = 0 if late else study.unclaimed(job.study, job.goal)
                running = study.states(job.study)[TrialState.RUNNING]
                for _ in range(len(workers), min(count, left + running) if left else 0):
                    workers.append(_start(job))
                watch()
                if not workers and (late or not running):
                    return
            time.sleep(LOOK)


def _start(job: Job) -> _Worker:
    receiver, sender = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=_work, args=(job, sender), daemon=True)
    # Blocked here it is blocked there too: Ctrl-C is for this process, which tells the others.
    resource_tracker.ensure_running()  # else its start, in that of the process, ends the block
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    process.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return _Worker(process, receiver)


def _work(job: Job, error: Connection) -> None:
    """Be a worker."""
    from stages.tuning.worker import work  # 3 s: torch

    try:
        with storage.explained(job.url):
            work(job)
    except (UserError, OSError) as reason:
        error.send(reason)
        sys.exit(2)


def _bury(worker: _Worker, workers: list[_Worker]) -> bool:
    """Take a worker out that is no more; whether it was killed. Raises what it failed with."""
    workers.remove(worker)
    status = worker.process.exitcode or 0
    if status == 2:
        raise worker.error.recv()
    if status > 0:
        sys.exit(status)
    return status < 0


@contextmanager
def _ended_in_order() -> Iterator[list[_Worker]]:
    """A list of workers, of whom none is left at the end."""
    workers: list[_Worker] = []
    try:
        yield workers
    except BaseException:
        if any(worker.process.is_alive() for worker in workers):
            print("\nending after the current epochs; Ctrl-C again ends at once", file=sys.stderr)
        for worker in workers:
            worker.process.terminate()
        until = time.monotonic() + TIDYING
        for worker in workers:
            worker.process.join(max(0.0, until - time.monotonic()))
        raise
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()
