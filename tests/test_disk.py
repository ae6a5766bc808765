"""A full disk: one line, status 2, nothing half-written."""

import shutil
import tempfile

import pytest

from digits.project import errors
from digits.registry import alias_moves
from digits.registry.alias_log import LOG_FILE
from digits.tracking import tracking_store
from tests import processes
from tests.cli.test_main import refusal, run
from tests.conftest import call, mounted

REASON = ("--reason", "x")


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


def test_a_checkout_that_cannot_be_written_is_read(versions, tmp_path, monkeypatch, capsys):
    """Also where its store was made in another folder; a change is refused in one line."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run("history", "--accept", "set by the fixture") == 0
    assert run("verify") == 1  # DVC has been used here before, and has no model
    with mounted(tmp_path / "disk", "size=50m") as disk:
        folder = shutil.move(versions, disk / "moved")
        (folder / LOG_FILE).unlink()
        call(tmp_path, "mount", "-o", "remount,ro", disk)
        monkeypatch.chdir(folder)
        for command in ("versions", "lineage 1", "verify champion", "history", "verify"):
            assert run(*command.split()) == (command == "verify"), command
        assert "is behind by 1 line(s) and cannot be written here" in capsys.readouterr().out
        assert "store cannot be used: its file can only" in refusal(capsys, "promote", "1", *REASON)
        assert "go to a folder that can be written" in refusal(capsys, "pull", "champion")


def test_a_full_folder_for_temporary_files_is_named(versions, tmp_path, monkeypatch, capsys):
    """Not the file that was read, which lies on another disk; and no version is called broken."""
    with mounted(tmp_path / "temporary", "size=32k") as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        assert f"cannot write {folder}" in refusal(capsys, "verify")
        (folder / "rest").write_bytes(bytes(shutil.disk_usage(folder).free))
        with pytest.raises(OSError, match="No space") as full, (folder / "x").open("wb") as file:
            file.write(b"x" * 5000)
        assert errors.describe_os_error(full.value).startswith(f"cannot write {folder}: No space")


def test_a_full_disk_is_told_of_the_store(versions, tmp_path, monkeypatch, capsys):
    """SQLite and DVC have other words for it."""
    with mounted(tmp_path / "disk", "size=20m") as disk:
        folder = shutil.copytree(versions, disk / "project")
        monkeypatch.chdir(folder)
        _ = tracking_store.embedded_store().client  # mends the paths of the copy
        (disk / "rest").write_bytes(bytes(shutil.disk_usage(disk).free))
        assert "its disk is full; make room" in refusal(capsys, "promote", "1", *REASON)
        assert not alias_moves.current_alias_state().log.entries
