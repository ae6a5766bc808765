"""An error that a person can correct is one line; a bug is a traceback."""

import errno

import pytest

from digits.project import errors
from digits.project.errors import UserError


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (UserError("found x; expected y; do z"), 2, "demo: found x; expected y; do z\n"),
        (OSError(errno.ENOSPC, "No space left on device", "m"), 2, "cannot write m: No space left"),
        (PermissionError(errno.EACCES, "Permission denied", "m"), 2, "correct the permissions"),
        (OSError(errno.EROFS, "Read-only file system"), 2, "cannot write: Read-only file system"),
        (KeyboardInterrupt(), 130, "the same command goes on from here"),
    ],
)
def test_an_error_that_a_person_can_correct_is_one_line(capsys, error, status, words):
    """The command prints one line on standard error and has an exit status."""

    def action():
        raise error

    assert errors.run_reporting_errors("demo", action) == status
    printed = capsys.readouterr().err
    assert words in printed
    assert printed.count("\n") == 1


def test_a_path_in_the_checkout_is_told_as_seen_from_here(tmp_path, monkeypatch, capsys):
    """Addresses, and paths that lie elsewhere, stay as they are."""
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    address = f"sqlite:///{tmp_path}/mlflow.db and {tmp_path}-2/file"

    def action():
        raise UserError(f"{tmp_path}/params.yaml: no such file; {address}")

    errors.run_reporting_errors("demo", action)
    assert capsys.readouterr().err == f"demo: ../params.yaml: no such file; {address}\n"


def test_a_bug_keeps_its_traceback():
    """Any other exception is raised."""
    with pytest.raises(ZeroDivisionError):
        errors.run_reporting_errors("demo", lambda: 1 // 0)
