"""`digits serve` in processes of its own."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

import psutil

MAIN = "\nfrom digits.cli import main\nmain.main()"


@contextmanager
def served(folder, *options, environment=None, log=None, change=None, python=sys.executable):
    """Run the service in the checkout `folder`; yield its process and address (host, port).

    `change` is Python code that runs before, to change a constant of the service; `python` is
    that of another installation.
    """
    program = ["-c", change + MAIN] if change else ["-m", "digits.cli"]
    unset = {"MLFLOW_TRACKING_URI", "DIGITS_TOKEN"}
    with subprocess.Popen(
        [python, *program, "serve", "--port", "0", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=log or subprocess.DEVNULL,
        text=True,
        env={k: v for k, v in os.environ.items() if k not in unset} | (environment or {}),
    ) as process:
        try:
            line = process.stdout.readline()
            address = re.match(r"http://([\d.]+):(\d+) ", line)
            assert address, f"{line!r}, status {process.wait(30)}"
            yield process, (address[1], int(address[2]))
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(40)


def workers(process):
    """The worker processes of a service; one that ends meanwhile is none."""
    living = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in str(child.cmdline()):
                living.append(child)
    return living
