"""One line of JSON per request and per event, on standard error."""

import contextlib
import io
import logging
import os
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

STANDARD_ERROR = 2


def log_event(**told: Any) -> None:
    """Write one event with the time in UTC; when nobody takes it, it is lost."""
    record = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **told}
    with contextlib.suppress(OSError):
        os.write(STANDARD_ERROR, orjson.dumps(record, default=str) + b"\n")


class JsonLogHandler(logging.Handler):
    """What libraries log, in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, with the traceback if there is one."""
        log_event(event=self.format(record), level=record.levelname.lower(), logger=record.name)


class StderrToLog(io.StringIO):
    """A standard error for functions that print notes for people: each becomes an event."""

    def write(self, note: str) -> int:
        """Write one note."""
        if note.strip():
            log_event(event=note.strip(), level="warning")
        return len(note)


LOGGING_CONFIG = {  # of what libraries log, from warnings upward
    "handlers": {"json": {"class": f"{__name__}.Handler"}},
    "loggers": {},
    "root": {"handlers": ["json"], "level": "WARNING"},
}


def log_exception(request_id: str) -> None:
    """Write the exception that is being handled."""
    log_event(event="failed", level="error", request_id=request_id, trace=traceback.format_exc())
