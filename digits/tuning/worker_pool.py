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

from optuna.trial import TrialState

from digits.project.errors import UserError
from digits.project.interrupts import defer_interrupts
from digits.tuning import study, study_storage
from digits.tuning.trial_job import TrialJob

POLL_SECONDS = 0.5  # seconds between two looks at the workers and the study
MAX_KILLED = 20  # killed workers after which something is wrong
SHUTDOWN_SECONDS = 600.0  # seconds for the epochs that are under way when the workers are stopped
# Workers are forked from a process that does nothing but import what they need, 3 s, once.
FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload(["digits.tuning.worker", "torch._dynamo", "mlflow"])


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    error: Connection  # what it sends when it fails


def run_workers(job: TrialJob, count: int, watch: Callable[[], object]) -> None:
    """Keep up to `count` workers at the job until nothing is left to do; call `watch` meanwhile.

    Waits for trials that run elsewhere. Raises what a worker fails with, and UserError when
    they are killed again and again.
    """
    killed = 0
    with _ending_workers() as workers:
        while True:
            with defer_interrupts():  # in SQLAlchemy's callbacks, Python would swallow Ctrl-C
                gone = [worker for worker in workers if not worker.process.is_alive()]
                killed += sum([_collect(worker, workers) for worker in gone])
                if killed > MAX_KILLED:
                    told = f"{killed} workers were killed; if memory is short, take fewer of them"
                    raise UserError(f"{told} or smaller networks")
                if gone or not workers:
                    study.requeue_abandoned(job.study)
                late = job.until and time.time() > job.until
                left = 0 if late else study.count_unclaimed(job.study, job.goal)
                running = study.count_states(job.study)[TrialState.RUNNING]
                for _ in range(len(workers), min(count, left + running) if left else 0):
                    workers.append(_start(job))
                watch()
                if not workers and (late or not running):
                    return
            time.sleep(POLL_SECONDS)


def _start(job: TrialJob) -> _Worker:
    receiver, sender = FORK_SERVER.Pipe(duplex=False)
    process = FORK_SERVER.Process(target=_run_job, args=(job, sender), daemon=True)
    # Blocked here it is blocked there too: Ctrl-C is for this process, which tells the others.
    resource_tracker.ensure_running()  # else its start, in that of the process, ends the block
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    process.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return _Worker(process, receiver)


def _run_job(job: TrialJob, error: Connection) -> None:
    """Be a worker."""
    from digits.tuning.worker import run_worker  # 3 s: torch

    try:
        with study_storage.translate_storage_errors(job.url):
            run_worker(job)
    except (UserError, OSError) as reason:
        error.send(reason)
        sys.exit(2)


def _collect(worker: _Worker, workers: list[_Worker]) -> bool:
    """Take a worker out that is no more; whether it was killed. Raises what it failed with."""
    workers.remove(worker)
    status = worker.process.exitcode or 0
    if status == 2:
        raise worker.error.recv()
    if status > 0:
        sys.exit(status)
    return status < 0


@contextmanager
def _ending_workers() -> Iterator[list[_Worker]]:
    """A list of workers, of whom none is left at the end."""
    workers: list[_Worker] = []
    try:
        yield workers
    except BaseException:
        if any(worker.process.is_alive() for worker in workers):
            print("\nending after the current epochs; Ctrl-C again ends at once", file=sys.stderr)
        for worker in workers:
            worker.process.terminate()
        until = time.monotonic() + SHUTDOWN_SECONDS
        for worker in workers:
            worker.process.join(max(0.0, until - time.monotonic()))
        raise
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()
