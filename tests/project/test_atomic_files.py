"""Files and folders are complete or absent."""

import errno

import pytest

from digits.project import atomic_files


def fill_and_fail(writing, error):
    """Write half of a file or folder, then raise `error`."""
    with writing as partial:
        (partial / "a" if partial.is_dir() else partial).write_bytes(b"half")
        raise error


def test_a_failed_write_leaves_the_old_file(tmp_path):
    """When writing fails, the file is as before, and no other file is left."""
    path = tmp_path / "a.txt"
    atomic_files.write_bytes(path, b"old")

    with pytest.raises(OSError, match="full"):
        fill_and_fail(atomic_files.atomic_file(path), OSError(errno.ENOSPC, "full"))

    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_bytes() == b"old"


def test_a_failed_folder_leaves_the_old_folder(tmp_path):
    """When filling a folder fails, the old folder stays, complete."""
    folder = tmp_path / "model"
    with atomic_files.atomic_folder(folder) as partial:
        (partial / "a").write_bytes(b"old")

    with pytest.raises(KeyboardInterrupt):
        fill_and_fail(atomic_files.atomic_folder(folder), KeyboardInterrupt())

    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert (folder / "a").read_bytes() == b"old"


def test_the_partial_folder_of_a_killed_writer_is_replaced(tmp_path):
    """Files of a killed process do not get into the next folder."""
    (tmp_path / ".model.partial").mkdir()
    (tmp_path / ".model.partial/stale").touch()

    with atomic_files.atomic_folder(tmp_path / "model") as partial:
        (partial / "a").touch()

    assert [p.name for p in (tmp_path / "model").iterdir()] == ["a"]
