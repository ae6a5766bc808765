"""A full disk: one line, status 2, nothing half-written."""

from tests import processes
from tests.conftest import mounted


def test_a_disk_that_takes_no_model_is_told(workspace):
    """Training ends in one line that says where the disk failed and what to do."""
    with mounted(workspace / "models", "size=64k") as folder:
        done = processes.run("train")
        assert list(folder.iterdir()) == []

    assert done.returncode == 2
    assert done.stderr.startswith("train: cannot write ")
    assert "No space left on device" in done.stderr
    assert "run the same command again" in done.stderr
    assert done.stderr.count("\n") == 1
