"""A full or read-only disk: one line, status 2, nothing half-written."""

import pytest

from tests import processes
from tests.conftest import mounted


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
