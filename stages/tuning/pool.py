"""Workers on this computer: started, replaced when killed, and stopped in order."""

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue

import optuna
from optuna.trial import TrialState

from stages.lib import schema
from stages.lib.errors import UserError
from stages.tuning import storage, study
from stages.tuning.storage import URL

LOOK = 0.5  # seconds between two looks at the workers and the study
REPLACED = 20  # killed workers after which something is wrong
SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks that threads hold
Errors = SimpleQueue[Exception]


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


def run(job: Job, count: int, watch: Callable[[], object]) -> None:
    """Keep up to `count` workers at the job until nothing is left to do; call `watch` meanwhile.

    Waits for trials that run elsewhere. Raises what a worker fails with, and UserError when
    they are killed again and again.
    """
    killed, errors = 0, SPAWN.SimpleQueue()
    with _ended_in_order() as workers:
        while True:
            gone = [worker for worker in workers if not worker.is_alive()]
            for worker in gone:
                workers.remove(worker)
                killed += _killed(worker, errors)
            if killed > REPLACED:
                told = f"{killed} workers were killed; if memory is short, take fewer of them"
                raise UserError(f"{told} or smaller networks")
            if gone or not workers:
                study.requeue(job.study)
            late = job.until and time.time() > job.until
            wanted = 0 if late else min(count, study.unclaimed(job.study, job.goal))
            for _ in range(wanted - len(workers)):
                workers.append(_start(job, errors))
            watch()
            if not workers and (late or not study.states(job.study)[TrialState.RUNNING]):
                return
            time.sleep(LOOK)


def _start(job: Job, errors: Errors) -> BaseProcess:
    process = SPAWN.Process(target=_work, args=(job, errors), daemon=True)
    # Blocked here it is blocked there too: Ctrl-C is for this process, which tells the others.
    resource_tracker.ensure_running()  # else its start, in that of the process, ends the block
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    process.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return process


def _work(job: Job, errors: Errors) -> None:
    """Be a worker; what it fails with goes to `errors`."""
    from stages.tuning.worker import work  # 3 s: torch

    try:
        with storage.explained(job.url):
            work(job)
    except (UserError, OSError) as reason:
        errors.put(reason)
        sys.exit(2)


def _killed(worker: BaseProcess, errors: Errors) -> bool:
    """Whether a worker that is no more was killed. Raises what it failed with."""
    status = worker.exitcode or 0
    if status == 2:
        raise errors.get()
    if status > 0:
        sys.exit(status)
    return status < 0


@contextmanager
def _ended_in_order() -> Iterator[list[BaseProcess]]:
    """A list of workers, of whom none is left at the end."""
    workers: list[BaseProcess] = []
    try:
        yield workers
    except BaseException:
        if any(worker.is_alive() for worker in workers):
            print("\nending after the current epochs; Ctrl-C again ends at once", file=sys.stderr)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()
        raise
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
