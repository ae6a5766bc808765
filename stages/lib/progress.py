"""One line on standard error: how many of how many, how fast, how long still.

Drawn here because results may go to the same terminal by standard output: rich would send
them to standard error, or draw into them.
"""

import sys
import time

EVERY = 0.2  # seconds between two drawings on a terminal
LOG_EVERY = 60.0  # seconds between two lines where standard error is no terminal


class Progress:
    """Tells how far a run over `total` things is, once it takes longer than a second.

    On a terminal one line is redrawn; `clear` it before anything else is printed there.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.start = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.next = self.start + (1 if self.terminal else LOG_EVERY)
        self.drawn = False

    def tell(self, done: int) -> None:
        """`done` things are done."""
        now = time.monotonic()
        if now < self.next:
            return
        speed = done / (now - self.start)
        left = f"{duration((self.total - done) / speed)} left" if done else ""
        line = f"{done:,} of {self.total:,}  {speed:,.0f} a second  {left}"
        end = "" if self.terminal else "\n"
        print(f"\r\x1b[K{line}" if self.terminal else line, end=end, file=sys.stderr, flush=True)
        self.drawn, self.next = self.terminal, now + (EVERY if self.terminal else LOG_EVERY)

    def clear(self) -> None:
        """Take the line from the terminal."""
        if self.drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        self.drawn = False


def duration(seconds: float) -> str:
    """As a person says it: 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
