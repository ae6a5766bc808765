"""Run a stage function the way DVC calls it.

A stage is a function whose signature is its entry in dvc.yaml: parameter sections first,
then the paths it reads, then `*`, then the paths it writes. `main` fills the sections from
params.yaml and lets the paths be their defaults.
"""

import functools
import inspect
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any, NoReturn

import filelock
import psutil

from stages.lib import files, params, schema
from stages.lib.errors import UserError, guarded, raise_on_signal

SHELLS = {"sh", "dash", "bash", "zsh", "ksh", "fish"}  # DVC runs commands through $SHELL
ROOT = Path(__file__).parents[2]


def main(function: Callable[..., None]) -> NoReturn:
    """Run `function` with the values of params.yaml and exit.

    Exit status: 0; 2 after an error that a person can mend, told in one line; 130 after
    Ctrl-C; 143 after SIGTERM or when the `dvc repro` that started this is gone.
    """
    name = function.__name__
    sys.exit(guarded(name, functools.partial(_locked, name, function)))


def _locked(name: str, function: Callable[..., None]) -> None:
    raise_on_signal(signal.SIGTERM, SystemExit(128 + signal.SIGTERM))
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_follow, args=(_starters(),), daemon=True).start()
    sections = arguments(function, params.load())
    with lock(name):
        function(**sections)


def arguments(function: Callable[..., None], values: schema.Params) -> dict[str, Any]:
    """The sections of `values` that the annotations of `function` ask for."""
    wanted = inspect.signature(function).parameters.values()
    kinds = {p.name: p.annotation for p in wanted if is_section(p.annotation)}
    return {name: params.section(values, kind) for name, kind in kinds.items()}


def is_section(annotation: object) -> bool:
    """Whether a parameter's annotation is a section of params.yaml."""
    return inspect.isclass(annotation) and issubclass(annotation, schema.Section)


def _starters() -> list[psutil.Process]:
    """What started this process: `dvc repro`, and the shell between where there is one."""
    parents = psutil.Process().parents()
    shells = list(itertools.takewhile(lambda process: process.name() in SHELLS, parents))
    return parents[: len(shells) + 1]


def _follow(starters: list[psutil.Process]) -> None:
    """End this process when one of those that started it is gone.

    A killed `dvc repro` leaves its stage running as an orphan that goes on writing.
    """
    with suppress(psutil.Error):  # one that ends between the two questions
        while all(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in starters):
            time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Let one process at a time run stage `name` in this checkout.

    The system drops the lock when its holder dies, however it dies. Raises UserError
    naming the holder when there is one.
    """
    folder = files.workspace() / ".state"
    folder.mkdir(mode=0o700, exist_ok=True)
    holder = folder / f"{name}.holder"
    guard = filelock.FileLock(folder / f"{name}.lock")
    try:
        guard.acquire(timeout=0)
    except filelock.Timeout as error:
        who = holder.read_text() if holder.exists() else "another process"
        raise UserError(f"{who} is running this stage here; wait for it or end it") from error
    try:
        holder.write_text(f"process {os.getpid()}, started {time.strftime('%Y-%m-%d %H:%M:%S')},")
        yield
    finally:
        holder.unlink(missing_ok=True)
        guard.release()


def sources(module: Path) -> list[Path]:
    """The file of a stage and every file of `stages` that it imports, directly or not.

    Paths are relative to the project's root and sorted; package `__init__.py` files count.
    """
    finder = ModuleFinder([str(ROOT)])  # looks nowhere else, so other packages stay out
    finder.run_script(str(module))
    found = [vars(module)["__file__"] for module in finder.modules.values()]
    return sorted({Path(path).resolve().relative_to(ROOT) for path in found if path})


def source_hashes(module: Path) -> dict[str, str]:
    """SHA-256 of each of a stage's source files."""
    return {p.as_posix(): files.sha256(ROOT / p) for p in sources(module)}
