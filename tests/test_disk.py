"""A full or read-only disk: one line, status 2, nothing half-written."""

import os
import subprocess
from contextlib import contextmanager

import pytest

from tests import processes


@contextmanager
def mounted(folder, options):
    """A file system of its own on `folder`; skips where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [("size=64k", "No space left on device"), ("ro", "Read-only file system")],
)
def test_a_disk_that_takes_no_model_is_told(workspace, options, words):
    """Training ends in one line that says where the disk failed and what to do."""
    with mounted(workspace / "models", options) as folder:
        done = processes.run("train")
        assert list(folder.iterdir()) == []

    assert done.returncode == 2
    assert done.stderr.startswith("train: cannot write ")
    assert words in done.stderr
    assert "run the same command again" in done.stderr
    assert done.stderr.count("\n") == 1
