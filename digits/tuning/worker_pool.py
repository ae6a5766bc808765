"""The worker processes of this computer: started, replaced when killed, and ended in order.

What a worker does is in `worker`.
"""

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection, resource_tracker
from multiprocessing.process import BaseProcess
from typing import NamedTuple

from optuna.trial import TrialState

from digits.project.errors import UserError
from digits.project.interrupts import defer_interrupts
from digits.tuning import study, study_storage

POLL_SECONDS = 0.5  # between two looks at the workers and the study
MAX_KILLED = 20  # workers that may be killed before the search gives up
SHUTDOWN_SECONDS = 600.0  # for the current epochs, after SIGTERM to the workers
# Workers are forked from a server process that has imported PRELOADED once.
if sys.platform == "win32":
    raise UserError("Windows cannot fork the workers of a search; use Linux, macOS or WSL")
FORK_SERVER = multiprocessing.get_context("forkserver")
PRELOADED = ["digits.tuning.worker", "torch._dynamo", "mlflow"]


class _Worker(NamedTuple):
    process: BaseProcess
    errors: connection.Connection  # receives the error that ends the worker


def run_workers(job: study.TrialJob, count: int, on_poll: Callable[[], object]) -> None:
    """Keep up to `count` workers running until all trials are done; call `on_poll` regularly.

    Waits for trials that run elsewhere. Raises the error that ended a worker, and UserError
    when workers are killed too often.
    """
    FORK_SERVER.set_forkserver_preload(PRELOADED)
    killed = 0
    with _worker_list() as workers:
        while True:
            with defer_interrupts():  # in SQLAlchemy's callbacks, Python would swallow Ctrl-C
                ended = [worker for worker in workers if not worker.process.is_alive()]
                killed += sum([_remove(worker, workers) for worker in ended])
                if killed > MAX_KILLED:
                    advice = "if memory is short, use fewer workers or smaller networks"
                    raise UserError(f"{killed} workers were killed; {advice}")
                if ended or not workers:
                    study.requeue_abandoned(job.study)
                late = job.until and time.time() > job.until
                left = 0 if late else study.count_unclaimed(job.study, job.goal)
                running = study.count_states(job.study)[TrialState.RUNNING]
                for _ in range(len(workers), min(count, left + running) if left else 0):
                    workers.append(_start(job))
                on_poll()
                if not workers and (late or not running):
                    return
            time.sleep(POLL_SECONDS)


def _start(job: study.TrialJob) -> _Worker:
    receiver, sender = FORK_SERVER.Pipe(duplex=False)
    process = FORK_SERVER.Process(target=_run_job, args=(job, sender), daemon=True)
    # Workers inherit the blocked Ctrl-C: it is for this process alone, which ends them in order.
    resource_tracker.ensure_running()  # if `process.start` started it, Ctrl-C would be unblocked
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    process.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return _Worker(process, receiver)


def _run_job(job: study.TrialJob, errors: connection.Connection) -> None:
    """Run `job` in the worker's process; send the error that ends it, and exit with status 2."""
    from digits.tuning.worker import run_worker  # imports torch

    try:
        with study_storage.translate_storage_errors(job.url):
            run_worker(job)
    except (UserError, OSError) as error:
        errors.send(error)
        sys.exit(2)


def _remove(worker: _Worker, workers: list[_Worker]) -> bool:
    """Remove an ended worker; whether it was killed. Raises the error that it sent."""
    workers.remove(worker)
    status = worker.process.exitcode or 0
    if status == 2:
        raise worker.errors.recv()
    if status > 0:
        sys.exit(status)
    return status < 0


@contextmanager
def _worker_list() -> Iterator[list[_Worker]]:
    """Yield a list for running workers; after an error, let them finish their epochs."""
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
