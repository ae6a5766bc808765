"""Progress is told on standard error, in one line, and only of what takes long."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

SLOW = """
import time
from digits.project.progress_bar import Progress
told = Progress(400, "trials")
for done in range(1, 401):
    time.sleep(0.005)
    told.tell(done, "best 99 %")
told.clear()
"""


def test_a_terminal_has_one_line_that_is_taken_away():
    """On a terminal a line is redrawn, with speed and time left, and cleared at the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run([sys.executable, "-c", SLOW], stderr=theirs, check=True)
    os.close(theirs)
    told = os.read(ours, 10_000).decode()
    os.close(ours)

    assert "/400 " in told
    assert "trials/s" in told
    assert "best 99 %" in told
    assert "\n" not in told
    assert told.rstrip("\r").endswith("\r" + " " * 79)


def test_a_pipe_stays_clean():
    """Where standard error is no terminal, nothing is written there."""
    told = subprocess.run([sys.executable, "-c", SLOW], capture_output=True, check=True)

    assert (told.stdout, told.stderr) == (b"", b"")
