"""`digits serve` as a process of its own."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager


@contextmanager
def served(folder, *options, environment=None, log=None):
    """The process and its address (host, port), for the checkout in `folder`."""
    command = [sys.executable, "-m", "stages.cli", "serve", "--port", "0", *options]
    kept = {k: v for k, v in os.environ.items() if k not in {"MLFLOW_TRACKING_URI", "DIGITS_TOKEN"}}
    told = subprocess.PIPE
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=told,
        stderr=log or subprocess.DEVNULL,
        text=True,
        env=kept | (environment or {}),
    ) as process:
        try:
            line = process.stdout.readline()
            found = re.match(r"http://([\d.]+):(\d+) ", line)
            assert found, f"{line!r}, status {process.wait(30)}"
            yield process, (found[1], int(found[2]))
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(40)
