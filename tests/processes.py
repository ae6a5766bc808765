"""Commands in processes of their own that do not import torch, MLflow and DVC each time anew.

They are forked from a process that has all three, which saves 2 to 20 s of each. All else is as a
shell would have it: arguments, working directory, environment, streams, signals, exit status.
What DVC starts in such a process, the stages, is forked, too.
"""

import atexit
import importlib
import itertools
import logging
import multiprocessing
import os
import runpy
import shutil
import signal
import sys
import tempfile
import time
import warnings
from multiprocessing import forkserver, resource_tracker, util
from pathlib import Path
from threading import Lock
from types import SimpleNamespace

SERVER = multiprocessing.get_context("forkserver")
PRELOADED = [
    "dvc.cli",
    "dvc.repo",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "onnxscript",
    "optuna.visualization.matplotlib",
    "digits.cli.main",
    "digits.training.train_model",
    "digits.tuning.worker",
    "torch._dynamo",
    "torch.onnx",
]
SHIM, OWNER = Path(tempfile.mkdtemp()), os.getpid()  # has a `python` that forks, too
# Anything but a stage or DVC is left to the real one.
SHIM_TEXT = f"""#!/bin/sh
case "$2" in
stages.*|dvc) exec {sys.executable} -c '
import sys
sys.path.insert(0, "{Path(__file__).parents[1]}")
from tests import processes
processes.relay()' ADDRESS "$@" ;;
*) exec {sys.executable} "$@" ;;
esac
"""


@atexit.register
def _remove_shim():
    """Remove it at the end of this process, and not at that of a fork."""
    if os.getpid() == OWNER:
        shutil.rmtree(SHIM, ignore_errors=True)


def start_server():
    """Import all that commands need, and fork the server from this process.

    It has no threads yet: what they hold would be locked forever in the copy.
    """
    for name in PRELOADED:
        importlib.import_module(name)
    from digits.project import code_hash
    from digits.tracking import logged_model
    from tests import sealed

    for name in ("digits.training.train_model", "digits.tuning.worker"):
        code_hash.source_files(Path(sys.modules[name].__file__))  # is kept, as is what comes now
    with tempfile.TemporaryDirectory() as scratch:
        logged_model.pack_model(sealed.sealed_folder(1, "mlp", 1), Path(scratch))
    _fork_server()
    shim = SHIM / "python"
    shim.write_text(SHIM_TEXT.replace("ADDRESS", forkserver._forkserver._forkserver_address))
    shim.chmod(0o700)


def _fork_server():
    """Start this process's fork server as a fork, where Python would start an interpreter."""
    spawn, util.spawnv_passfds = util.spawnv_passfds, _fork
    try:
        forkserver.ensure_running()
    finally:
        util.spawnv_passfds = spawn


def _fork(_program, arguments, kept):
    """Run the program text of an interpreter's arguments in a fork; the process id of that."""
    if pid := os.fork():
        return pid
    try:
        edges = [2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
        for before, after in itertools.pairwise(edges):
            os.closerange(before + 1, after)
        forkserver._forkserver._lock = Lock()  # the parent holds the other one
        signal.signal(signal.SIGINT, signal.default_int_handler)
        logging.root.handlers.clear()
        exec(arguments[-1], {})
    finally:
        os._exit(0)


def relay():
    """Be a `python` that DVC starts: have the module forked, and end as it ends."""
    address, _, module, *arguments = sys.argv[1:]
    forkserver._forkserver.__dict__.update(
        _forkserver_address=address,
        _forkserver_alive_fd=os.pipe()[1],
        ensure_running=resource_tracker.ensure_running,
    )
    streams = [f"/proc/{os.getpid()}/fd/{number}" for number in (1, 2)]
    given = ([module.removeprefix("stages."), *arguments], Path.cwd(), dict(os.environ), streams)
    process = SERVER.Process(target=_begin, args=given)
    process.start()
    process.join()
    sys.exit(process.exitcode)


class Process:
    """A command that runs: like `subprocess.Popen`, with a session of its own.

    It is `digits` or `dvc` with arguments, the name of a stage, or a program's text with arguments.
    """

    def __init__(self, *command, folder=None, environment=None):
        self._folder, self._read = tempfile.TemporaryDirectory(), 0
        self._streams = [Path(self._folder.name, name) for name in ("stdout", "stderr")]
        for path in self._streams:
            path.touch()
        place = (folder or Path.cwd(), environment or dict(os.environ))
        given = (list(map(str, command)), *place, self._streams)
        self._process = SERVER.Process(target=_begin, args=given)
        self._process.start()
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.kill()

    @property
    def returncode(self):
        """The exit status; negative after a signal, None while it runs."""
        return self._process.exitcode

    def communicate(self, timeout=None):
        """What it has printed and complained of, at its end."""
        self._process.join(timeout)
        assert self.returncode is not None, "it still runs"
        return tuple(path.read_text() for path in self._streams)

    def readline(self):
        """The next line that it prints; empty at its end."""
        while True:
            ended = self.returncode is not None
            text = self._streams[0].read_text()[self._read :]
            line, newline, _ = text.partition("\n")
            if newline or ended:
                self._read += len(line + newline)
                return line + newline
            time.sleep(0.02)

    def send_signal(self, number):
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self):
        """End it as `kill -9` does."""
        self._process.kill()
        self._process.join()


def run(*command, **place):
    """Exit status, stdout and stderr of a command that has ended."""
    with Process(*command, **place) as process:
        stdout, stderr = process.communicate()
    return SimpleNamespace(returncode=process.returncode, stdout=stdout, stderr=stderr)


def _become(_program, command, environment):
    """Be the Python module that this process would be replaced by."""
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command[2:]
    runpy.run_module(command[2], run_name="__main__")
    sys.exit()


def _begin(command, folder, environment, streams):
    """Be the process: forked, with everything imported."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False, errors="backslashreplace")
    warnings.simplefilter("ignore", DeprecationWarning)  # as Python does outside of tests
    sys.argv, sys.executable = command, f"{SHIM}/python"
    os.execve = _become
    if command[:2] == ["digits", "tune"]:
        _fork_server()  # of its own, whose children are its workers
    if command[0] == "digits":
        importlib.import_module("digits.cli.main").main()
    elif command[0] == "dvc":
        for name in ("dvc", "dvc_objects", "dvc_data"):
            logging.getLogger(name).handlers.clear()  # they have the streams of the tests
        importlib.import_module("dvc.logger").setup()
        os.environ["PATH"] = f"{SHIM}{os.pathsep}{os.environ['PATH']}"
        sys.exit(importlib.import_module("dvc.cli").main(command[1:]))
    elif command[0].isidentifier():
        module = importlib.import_module(f"stages.{command[0]}")
        importlib.import_module("digits.project.stage").main(getattr(module, command[0]))
    else:
        exec(command[0], {"__name__": "__main__"})
