"""A stage ends with the process that started it, and cleans up when it is ended."""

import signal
import subprocess
import sys
import time

import psutil


def alive(process):
    """Whether a process exists and is not a zombie."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


ORPHAN = """
import os, subprocess, sys, time
child = "from digits.project import stage; import os, time\\n"
child += "def demo(): print(os.getpid(), flush=True); time.sleep(60)\\n"
child += "stage.main(demo)"
subprocess.Popen([*sys.argv[1:], f"'{sys.executable}' -c '{child}'; true"])
time.sleep(60)
"""


def test_a_stage_ends_with_the_process_that_started_it(workspace, monkeypatch):
    """When `dvc repro` is killed, its stage ends too, although a shell is between them."""
    monkeypatch.setenv("DVC_STAGE", "demo")
    command = [sys.executable, "-c", ORPHAN, "sh", "-c"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and alive(child):
        time.sleep(0.1)

    assert not alive(child)


CLEANUP = """
import time
from digits.project import stage
def demo():
    try: print("started", flush=True); time.sleep(60)
    finally: print("cleaned up", flush=True)
stage.main(demo)
"""


def test_sigterm_ends_a_stage_by_an_exception(workspace):
    """SIGTERM raises an exception in the stage, so that files and runs are closed."""
    command = [sys.executable, "-c", CLEANUP]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGTERM)

        assert process.stdout.readline() == "cleaned up\n"
    assert process.returncode == 143
