"""The log: one line of JSON per request and per event, on standard error."""

import contextlib
import io
import logging
import os
from datetime import UTC, datetime
from typing import Any

import orjson


def log_event(**fields: Any) -> None:
    """Write one event with the time in UTC. The event is lost if standard error is closed."""
    record = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
    with contextlib.suppress(OSError):
        os.write(2, orjson.dumps(record, default=str) + b"\n")  # even where sys.stderr is replaced


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
