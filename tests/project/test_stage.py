"""How a stage is run: one at a time, errors as a line, no orphans."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from digits.project import process_locks
from digits.project.errors import UserError

HOLDER = """
import time
from stages.lib import stage
with stage.lock("train"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_told_who_holds_the_lock(workspace):
    """The lock names its holder; when that is killed, the lock is free."""
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()

        told = f"process {holder.pid}, started .* is running"
        with pytest.raises(UserError, match=told), process_locks.stage_lock("train"):
            pass

        holder.kill()
    with process_locks.stage_lock("train"):
        pass


def alive(process):
    """Whether a process exists and is not only waiting to be reaped."""
    return psutil.pid_exists(process) and psutil.Process(process).status() != "zombie"


ORPHAN = """
import os, subprocess, sys, time
child = "from digits.project import stage; import os, time\\n"
child += "def demo(): print(os.getpid(), flush=True); time.sleep(60)\\n"
child += "stage.main(demo)"
subprocess.Popen([*sys.argv[1:], f"'{sys.executable}' -c '{child}'; true"])
time.sleep(60)
"""


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_stage_ends_with_the_process_that_started_it(workspace, monkeypatch, shell):
    """When `dvc repro` is killed its stage ends too, though a shell stands between them."""
    monkeypatch.setenv("DVC_STAGE", "demo")
    command = [sys.executable, "-c", ORPHAN, shell, "-c"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and alive(child):
        time.sleep(0.1)

    assert not alive(child)


def test_sigterm_ends_a_stage_by_an_exception(workspace):
    """SIGTERM unwinds the stage, so that files and runs are tidied up."""
    child = (
        "from digits.project import stage; import time\n"
        "def demo():\n"
        "    try: print('up', flush=True); time.sleep(60)\n"
        "    finally: print('tidied', flush=True)\n"
        "stage.main(demo)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", child], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)

        assert process.stdout.readline() == "tidied\n"
    assert process.returncode == 143
