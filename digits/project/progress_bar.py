"""Show the progress of a long command as one line on standard error, only on a terminal."""

import sys
import time
from typing import Any

DELAY_SECONDS = 1.0  # a command that ends sooner shows no line and does not import tqdm


class ProgressBar:
    """How many of `total` items are done, at what speed, and the time that remains.

    `clear` removes the line before other text is printed and at the end; the next `update`
    draws it again.
    """

    def __init__(self, total: int, unit: str = "files") -> None:
        self._total, self._unit = total, f" {unit}"
        self._start = time.time()  # the clock of tqdm
        self._bar: Any = None

    def update(self, done: int, note: str = "") -> None:
        """Set the number of items that are done; `note` is shown after it."""
        if self._bar is None:
            if not sys.stderr.isatty() or time.time() - self._start < DELAY_SECONDS:
                return
            from tqdm import tqdm

            # without smoothing the speed is the mean since the start, which is before the bar's
            self._bar = tqdm(
                total=self._total, unit=self._unit, leave=False, dynamic_ncols=True, smoothing=0
            )
            self._bar.start_t = self._start
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)

    def clear(self) -> None:
        """Remove the line from the terminal."""
        if self._bar is not None:
            self._bar.clear()
