"""What a person can mend is one line, a bug is a traceback."""

import errno

import pytest

from digits.project import errors
from digits.project.errors import UserError


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (UserError("found x; expected y; do z"), 2, "demo: found x; expected y; do z\n"),
        (OSError(errno.ENOSPC, "No space left on device", "m"), 2, "cannot write m: No space left"),
        (PermissionError(errno.EACCES, "Permission denied", "m"), 2, "mend the permissions"),
        (OSError(errno.EROFS, "Read-only file system"), 2, "cannot write: Read-only file system"),
        (KeyboardInterrupt(), 130, "the same command goes on from here"),
    ],
)
def test_what_a_person_can_mend_is_one_line(capsys, error, status, words):
    """Such an error gives one line on stderr and an exit status."""

    def action():
        raise error

    assert errors.run_reporting_errors("demo", action) == status
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_a_bug_is_not_hidden():
    """Any other exception is a bug and keeps its traceback."""
    with pytest.raises(ZeroDivisionError):
        errors.run_reporting_errors("demo", lambda: 1 // 0)
