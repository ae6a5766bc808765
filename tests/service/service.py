"""`digits serve` as processes of its own."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil

LIMITED = """
from stages.serving import guard, server
server.run("model", "127.0.0.1", 0, limits=guard.Limits(**{limits}))
"""


@contextmanager
def served(folder, *options, environment=None, log=None, limits=None):
    """The process and its address (host, port), for the checkout in `folder`.

    With `limits`, those other than the usual ones, it is the model in `folder/model`.
    """
    command = ["-m", "digits.cli", "serve", "--port", "0", *options]
    if limits:
        command = ["-c", LIMITED.format(limits=limits)]
    kept = {k: v for k, v in os.environ.items() if k not in {"MLFLOW_TRACKING_URI", "DIGITS_TOKEN"}}
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        stdout=subprocess.PIPE,
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


def workers(process):
    """The processes that answer."""
    children = psutil.Process(process.pid).children()
    return [child for child in children if "spawn_main" in str(child.as_dict(["cmdline"]))]
