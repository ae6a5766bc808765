"""Run a stage function as DVC calls it.

A stage is a function whose signature is its entry in dvc.yaml: sections of params.yaml first,
then the paths that it reads, then `*`, then the paths that it writes. `main` passes the sections
and leaves every path at its default. The five stages themselves are in `stages/`.
"""

import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import psutil

from digits.project import loopback, params_file, workspace
from digits.project.errors import run_reporting_errors
from digits.project.params_schema import Params
from digits.project.process_locks import stage_lock
from digits.project.thread_environment import set_thread_environment

# DVC removes the outputs of a stage before it runs it, and keeps a copy in its cache.
RESTORE = "`git restore params.yaml && dvc repro` brings back the last commit's values and results"
SHELLS = {"sh", "dash", "bash", "zsh", "ksh", "fish"}  # DVC runs commands through $SHELL


def main(function: Callable[..., None]) -> NoReturn:
    """Run `function` with the sections of params.yaml that it takes, and exit.

    Exit status: 0; 2 after an error that a person can correct, printed as one line; 130 after
    Ctrl-C; 143 after SIGTERM or when the `dvc repro` that started this process has ended. If
    params.yaml has changed, a second line after an error says how to go back.
    """
    status = run_reporting_errors(function.__name__, lambda: _run(function))
    if status == 2 and "DVC_STAGE" in os.environ and _params_changed():
        print(f"{function.__name__}: {RESTORE}", file=sys.stderr, flush=True)
    sys.exit(status)


def _params_changed() -> bool:
    """Whether params.yaml of the person's own checkout differs from the last commit."""
    if workspace.state_root() != workspace.checkout_root():
        return False  # `dvc exp run --temp` works in a copy
    command = ["git", "diff", "--quiet", "HEAD", "--", "params.yaml"]
    with suppress(OSError):  # git is not installed
        return subprocess.run(command, check=False, capture_output=True).returncode == 1
    return False


def _run(function: Callable[..., None]) -> None:
    set_thread_environment()
    loopback.bypass_proxy()
    # an exception lets the stage release locks, delete partial files and close its run
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_follow_parents, args=(_starting_processes(),), daemon=True).start()
    sections = section_arguments(function, params_file.load_params())
    with stage_lock(function.__name__):
        function(**sections)
    print(f"{function.__name__}: {time.time() - psutil.Process().create_time():.0f} s in all")


def section_arguments(function: Callable[..., None], params: Params) -> dict[str, Any]:
    """The sections of `params` whose classes annotate parameters of `function`, by parameter."""
    sections = {type(section): section for _, section in params}
    parameters = inspect.signature(function).parameters.values()
    return {p.name: sections[p.annotation] for p in parameters if p.annotation in sections}


def _starting_processes() -> list[psutil.Process]:
    """The processes that started this one: `dvc repro` and, if there is one, its shell."""
    parents = psutil.Process().parents()
    depths = (n for n, parent in enumerate(parents, 1) if parent.name() not in SHELLS)
    return parents[: next(depths, None)]


def _follow_parents(starters: list[psutil.Process]) -> None:
    """End this process when one of `starters` has ended.

    Without this, the stage of a killed `dvc repro` would go on writing as an orphan.
    """
    with suppress(psutil.Error):  # a process may end between the two calls
        while all(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in starters):
            time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
