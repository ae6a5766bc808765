"""The log: one line of JSON per request and per event, on standard error or in a file."""

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson


def log_event(**fields: Any) -> None:
    """Write one event with the time in UTC. The event is lost if standard error is closed."""
    record = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
    with contextlib.suppress(OSError):
        os.write(2, orjson.dumps(record, default=str) + b"\n")  # even where sys.stderr is replaced


@contextlib.contextmanager
def write_log_to(file: Path | None) -> Iterator[None]:
    """Write the log of this process and of those it starts to a new `file`; None: no change."""
    if file is None:
        yield
        return
    standard_error = os.dup(2)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


class JsonLogHandler(logging.Handler):
    """A log handler that writes the records of libraries as events."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, with its traceback if there is one."""
        log_event(event=self.format(record), level=record.levelname.lower(), logger=record.name)


class StderrToLog(io.StringIO):
    """A replacement of standard error that turns each printed note into an event."""

    def write(self, note: str) -> int:
        """Write one note."""
        if note.strip():
            log_event(event=note.strip(), level="warning")
        return len(note)


LOGGING_CONFIG = {  # for libraries: warnings and errors only
    "handlers": {"json": {"class": f"{__name__}.{JsonLogHandler.__name__}"}},
    "loggers": {},
    "root": {"handlers": ["json"], "level": "WARNING"},
}
