"""One process at a time runs a stage."""

import subprocess
import sys

import pytest

from digits.project.errors import UserError
from digits.project.process_locks import stage_lock

HOLDER = """
import time
from digits.project.process_locks import stage_lock
with stage_lock("train"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_names_the_process_that_holds_the_lock(workspace):
    """The error names the holder; when the holder is killed, the lock is free."""
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()

        words = f"process {holder.pid}, started .* is running"
        with pytest.raises(UserError, match=words), stage_lock("train"):
            pass

        holder.kill()
    with stage_lock("train"):
        pass
