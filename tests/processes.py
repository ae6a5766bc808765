"""Commands in processes of their own that do not import torch and MLflow each time anew.

They are forked from a process that has both, which saves 5 to 15 s of each. All else is as a
shell would have it: arguments, working directory, environment, streams, signals, exit status.
"""

import importlib
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

SERVER = multiprocessing.get_context("forkserver")
PRELOADED = [
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


class Process:
    """A command that runs: like `subprocess.Popen`, with a session of its own.

    It is `digits` with arguments, the name of a stage, or a program's text with arguments.
    """

    def __init__(self, *command):
        SERVER.set_forkserver_preload(PRELOADED)  # for the first one of this process
        self._folder, self._read = tempfile.TemporaryDirectory(), 0
        self._streams = [Path(self._folder.name, name) for name in ("stdout", "stderr")]
        for path in self._streams:
            path.touch()
        given = (list(map(str, command)), Path.cwd(), dict(os.environ), self._streams)
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


def run(*command):
    """Exit status, stdout and stderr of a command that has ended."""
    with Process(*command) as process:
        stdout, stderr = process.communicate()
    return SimpleNamespace(returncode=process.returncode, stdout=stdout, stderr=stderr)


def _begin(command, folder, environment, streams):
    """Be the process: forked, with everything imported."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    sys.stdout.reconfigure(line_buffering=True)
    sys.argv = command
    if command[0] == "digits":
        importlib.import_module("digits.cli.main").main()
    elif command[0].isidentifier():
        module = importlib.import_module(f"stages.{command[0]}")
        importlib.import_module("digits.project.stage").main(getattr(module, command[0]))
    else:
        exec(command[0], {"__name__": "__main__"})
