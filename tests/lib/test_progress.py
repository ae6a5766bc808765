"""Progress is told on standard error, in one line, and only of what takes long."""

import os
import pty
import subprocess
import sys

import pytest

from stages.lib import progress
from stages.lib.progress import Progress

SLOW = """
import time
from stages.lib.progress import Progress
told = Progress(400)
for done in range(1, 401):
    time.sleep(0.005)
    told.tell(done)
told.clear()
"""


def test_short_work_says_nothing(capsys):
    """What is done within a second is not told."""
    told = Progress(3)
    for done in (1, 2, 3):
        told.tell(done)
    told.clear()

    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_one_line_that_is_taken_away():
    """On a terminal a line is redrawn and cleared at the end."""
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", SLOW], stderr=theirs, check=True)
    os.close(theirs)
    told = os.read(ours, 10_000).decode()
    os.close(ours)

    assert "of 400" in told
    assert "a second" in told
    assert " s left" in told
    assert "\n" not in told
    assert told.endswith("\r\x1b[K")


def test_a_log_has_a_line_a_minute(capsys, monkeypatch):
    """Where standard error is no terminal, whole lines come at long intervals."""
    monkeypatch.setattr(progress, "LOG_EVERY", 0.0)
    told = Progress(7200)
    monkeypatch.setattr(told, "start", told.start - 60)
    told.tell(60)
    told.clear()

    assert capsys.readouterr().err == "60 of 7,200  1 a second  2.0 h left\n"


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (600, "10 min"), (9000, "2.5 h")])
def test_time_is_told_as_people_do(seconds, words):
    """Seconds, minutes or hours."""
    assert progress.duration(seconds) == words
