"""The one exception that people see, a sentence without a traceback; exceptions on signals."""

import errno
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}


class UserError(Exception):
    """Something a person can mend.

    The message is one line: what was found, what was expected, what to do next.
    Whoever runs a command prints it and exits with status 2.
    """


def guarded(name: str, action: Callable[[], object]) -> int:
    """Do `action`; print what a person can mend as one line. Returns the exit status."""
    try:
        action()
        return 0
    except UserError as error:
        message, status = str(error), 2
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        where = f" {error.filename}" if error.filename else ""
        advice = "make room or mend the permissions, then run the same command again"
        message, status = f"cannot write{where}: {error.strerror}; {advice}", 2
    except KeyboardInterrupt:
        message, status = "interrupted; the same command goes on from here", 130
    print(f"{name}: {message}", file=sys.stderr, flush=True)
    return status


def raise_on_signal(number: int, error: BaseException) -> Any:
    """Let signal `number` raise `error` from now on; return the handler that it had before.

    An exception gives locks, partial files and runs the time to be tidied up.
    """

    def handler(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise error

    return signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
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
