"""TODO"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn


def raise_on_signal(number: int, error: BaseException) -> Any:
    """Let signal `number` raise `error` from now on; return the handler that it had before.

    An exception gives locks, partial files and runs the time to be tidied up.
    """

    def handler(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise error

    return signal.signal(number, handler)


@contextmanager
def defer_interrupts() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the end, for what must not be left half done.

    The second one does not wait: what takes so long may never end.
    """
    came: list[int] = []

    def wait(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()  # no other can set handlers
    numbers = (signal.SIGINT, signal.SIGTERM) if main else ()
    before = {n: signal.signal(n, wait) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for missed in came:
            signal.raise_signal(missed)
