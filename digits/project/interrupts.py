"""Delay Ctrl-C and SIGTERM during work that must not stop halfway."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def defer_interrupts() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the end of the block.

    A second signal raises KeyboardInterrupt at once, because the block may never end.
    """
    received: list[int] = []

    def record(number: int, _frame: object) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()  # others cannot set handlers
    previous = {n: signal.signal(n, record) for n in (signal.SIGINT, signal.SIGTERM) if is_main}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for late in received:
            signal.raise_signal(late)
