"""Workers on this machine: started, watched, replaced when killed, and stopped in order."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import IO, Any, Self

from stages.lib import files
from stages.lib.errors import UserError

LOOK = 0.1  # seconds between two looks at the workers
REPLACED = 20  # killed workers after which something is wrong
TIDYING = 600.0  # seconds for the epochs that are under way when the workers are stopped
COMMAND = [sys.executable, "-m", "stages.tuning.worker"]
ONCE = ("tune: ", "tracking: ")  # beginnings of lines that one worker may say for all


@dataclass(frozen=True)
class Job:
    """What a worker is started for; this module is imported without torch."""

    storage: str  # with its password
    study: str
    values: dict[str, Any]  # all of params.yaml
    inputs: dict[str, str]  # files of training and validation pictures -> SHA-256
    goal: int  # trials of the study
    threads: int
    seconds: float | None  # from the start, after which no trial is begun
    parent: str | None  # the study's run in MLflow


class Pool:
    """`count` workers, started with the first job; none is left at the end of `with`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._workers: list[_Worker] = []
        self._said: set[str] = set()
        self._killed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if any(worker.busy for worker in self._workers):
            print("\nending after the current epochs; Ctrl-C again ends at once", file=sys.stderr)
        try:
            self._wind_up()
        finally:
            for worker in self._workers:
                worker.end()

    def run(self, job: Job, watch: Callable[[], None]) -> None:
        """Give all workers the job until none finds more to do; call `watch` meanwhile.

        Exits as a worker does that fails, which has said why. Raises UserError when they
        are killed again and again.
        """
        began = time.monotonic()
        self._workers += [_Worker(self._said) for _ in range(self.count - len(self._workers))]
        for worker in self._workers:
            worker.give(job)
        while any(worker.busy for worker in self._workers):
            time.sleep(LOOK)
            for worker in [w for w in self._workers if w.process.poll() is not None]:
                self._bury(worker)
                left = job.seconds and max(0.0, job.seconds - (time.monotonic() - began))
                self._workers.append(_Worker(self._said))
                self._workers[-1].give(replace(job, seconds=left))
            watch()

    def _bury(self, worker: "_Worker") -> None:
        """Take a worker out that is no more; go on only if it was killed."""
        self._workers.remove(worker)
        worker.end()
        status = worker.process.returncode
        if status >= 0:
            sys.exit(status)
        self._killed += 1
        if self._killed > REPLACED:
            found = f"{self._killed} workers were killed, the last by signal {-status}"
            raise UserError(f"{found}; if memory is short, take fewer workers or smaller networks")

    def _wind_up(self) -> None:
        """Let the trials come to the end of their epochs."""
        for worker in self._workers:
            worker.hang_up()
        until = time.monotonic() + TIDYING
        while any(worker.busy for worker in self._workers) and time.monotonic() < until:
            time.sleep(LOOK)


class _Worker:
    """A worker's process, and threads that hear what it says."""

    def __init__(self, said: set[str]) -> None:
        self.process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=files.workspace(),
        )
        self._done = threading.Event()
        self._said = said
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self._input = self.process.stdin
        heard = ((self._finish, self.process.stdout), (self._pass_on, self.process.stderr))
        self._threads = [threading.Thread(target=t, args=(p,), daemon=True) for t, p in heard]
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> bool:
        """Whether it lives and works on a job."""
        return self.process.poll() is None and not self._done.is_set()

    def give(self, job: Job) -> None:
        """Start it on a job; not by its arguments, which everybody can read."""
        self._done.clear()
        with suppress(OSError):  # it is gone; its status tells why
            self._input.write(json.dumps(asdict(job)) + "\n")
            self._input.flush()

    def hang_up(self) -> None:
        """Ask it to come to an end."""
        with suppress(OSError):
            self._input.close()

    def end(self) -> None:
        """End it at once, and hear its last words."""
        self.hang_up()
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()

    def _finish(self, output: IO[str]) -> None:
        """A line is the end of a job."""
        for _ in output:
            self._done.set()

    def _pass_on(self, output: IO[str]) -> None:
        for line in output:
            if line not in self._said or not line.startswith(ONCE):
                print(line, end="", file=sys.stderr, flush=True)
            self._said.add(line)
