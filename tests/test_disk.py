"""A full or read-only disk: one line, status 2, nothing half-written."""

import os
import subprocess
import sys

import pytest


def mounted(folder, options):
    """Put a file system of its own on `folder`; skip where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system is not allowed here")


@pytest.fixture
def unmounted(workspace):
    """The workspace, whose folder models/ is unmounted in the end."""
    yield workspace
    subprocess.run(["umount", "-l", workspace / "models"], check=False, capture_output=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [("size=64k", "No space left on device"), ("ro", "Read-only file system")],
)
def test_a_disk_that_takes_no_model_is_told(unmounted, options, words):
    """Training ends in one line that says where the disk failed and what to do."""
    mounted(unmounted / "models", options)

    command = [sys.executable, "-m", "stages.train"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("train: cannot write ")
    assert words in done.stderr
    assert "run the same command again" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list((unmounted / "models").iterdir()) == []
