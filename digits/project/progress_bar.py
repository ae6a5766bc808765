"""How far a run is, in one line on standard error; nothing where that is no terminal."""

import sys
import time
from typing import Any

AFTER = 1.0  # seconds: what is done sooner says nothing, and needs no tqdm


class ProgressBar:
    """How many of `total` things are done, how fast, and how long still.

    `clear` takes the line away, before anything else is printed there and at the end; the
    next `tell` draws it again.
    """

    def __init__(self, total: int, unit: str = "files") -> None:
        self._total, self._unit = total, unit
        self._start = time.time()  # the clock of tqdm
        self._bar: Any = None

    def update(self, done: int, note: str = "") -> None:
        """`done` things are done; `note` is shown after that."""
        if self._bar is None:
            if not sys.stderr.isatty() or time.time() - self._start < AFTER:
                return
            from tqdm import tqdm

            unit = f" {self._unit}"
            self._bar = tqdm(total=self._total, unit=unit, leave=False, dynamic_ncols=True)
            self._bar.start_t = self._start
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)

    def clear(self) -> None:
        """Take the line from the terminal."""
        if self._bar is not None:
            self._bar.clear()
