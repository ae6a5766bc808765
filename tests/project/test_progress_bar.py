"""Progress is one line on a terminal, and only for what takes long."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

SLOW = """
import time
from digits.project import progress_bar
progress_bar.DELAY_SECONDS = 0.1
progress = progress_bar.ProgressBar(100, "trials")
for done in range(1, 101):
    time.sleep(0.005)
    progress.update(done, "best 99 %")
progress.clear()
"""


def test_a_terminal_shows_one_line_that_is_removed():
    """The line is redrawn, with speed and remaining time, and cleared at the end."""
    terminal, standard_error = pty.openpty()
    fcntl.ioctl(standard_error, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run([sys.executable, "-c", SLOW], stderr=standard_error, check=True)
    os.close(standard_error)
    shown = os.read(terminal, 10_000).decode()
    os.close(terminal)

    for words in ("/100 ", "trials/s", "best 99 %"):
        assert words in shown
    assert "\n" not in shown
    assert shown.rstrip("\r").endswith("\r" + " " * 79)


def test_nothing_is_printed_to_a_pipe():
    """Where standard error is not a terminal, it stays empty."""
    done = subprocess.run([sys.executable, "-c", SLOW], capture_output=True, check=True)

    assert (done.stdout, done.stderr) == (b"", b"")
