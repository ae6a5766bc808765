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
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import psutil

from digits.project import params_file
from digits.project.errors import run_reporting_errors
from digits.project.interrupts import raise_on_signal
from digits.project.params_schema import Params, ParamsSection
from digits.project.process_locks import stage_lock
from digits.project.thread_environment import set_thread_environment

SHELLS = {"sh", "dash", "bash", "zsh", "ksh", "fish"}  # DVC runs commands through $SHELL


def main(function: Callable[..., None]) -> NoReturn:
    """Run `function` with the values of params.yaml and exit.

    Exit status: 0; 2 after an error that a person can mend, told in one line; 130 after
    Ctrl-C; 143 after SIGTERM or when the `dvc repro` that started this is gone.
    """
    name = function.__name__
    sys.exit(run_reporting_errors(name, functools.partial(_locked, name, function)))


def _locked(name: str, function: Callable[..., None]) -> None:
    set_thread_environment()
    raise_on_signal(signal.SIGTERM, SystemExit(128 + signal.SIGTERM))
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_follow_parents, args=(_starting_processes(),), daemon=True).start()
    sections = section_arguments(function, params_file.load_params())
    with stage_lock(name):
        function(**sections)


def section_arguments(function: Callable[..., None], values: Params) -> dict[str, Any]:
    """The sections of `values` that the annotations of `function` ask for."""
    wanted = inspect.signature(function).parameters.values()
    kinds = {p.name: p.annotation for p in wanted if is_section(p.annotation)}
    return {name: params_file.find_section(values, kind) for name, kind in kinds.items()}


def is_section(annotation: object) -> bool:
    """Whether a parameter's annotation is a section of params.yaml."""
    return inspect.isclass(annotation) and issubclass(annotation, ParamsSection)


def _starting_processes() -> list[psutil.Process]:
    """What started this process: `dvc repro`, and the shell between where there is one."""
    parents = psutil.Process().parents()
    shells = list(itertools.takewhile(lambda process: process.name() in SHELLS, parents))
    return parents[: len(shells) + 1]


def _follow_parents(starters: list[psutil.Process]) -> None:
    """End this process when one of those that started it is gone.

    A killed `dvc repro` leaves its stage running as an orphan that goes on writing.
    """
    with suppress(psutil.Error):  # one that ends between the two questions
        while all(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in starters):
            time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
