"""`digits serve` in processes of its own."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil

LIMITED = """
from digits.service import admission_limits, processes
limits = admission_limits.AdmissionLimits(**{limits})
processes.run_service("model", "127.0.0.1", 0, limits=limits)
"""


@contextmanager
def served(folder, *options, environment=None, log=None, limits=None):
    """Run the service in the checkout `folder`; yield its process and address (host, port).

    With `limits`, which replace the usual ones, it serves the model in `folder/model`.
    """
    command = ["-m", "digits.cli", "serve", "--port", "0", *options]
    if limits:
        command = ["-c", LIMITED.format(limits=limits)]
    unset = {"MLFLOW_TRACKING_URI", "DIGITS_TOKEN"}
    with subprocess.Popen(
        [sys.executable, *command],
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
    """The worker processes of a service."""
    children = psutil.Process(process.pid).children()
    return [child for child in children if "spawn_main" in str(child.as_dict(["cmdline"]))]
