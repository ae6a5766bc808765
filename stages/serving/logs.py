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


def line(**told: Any) -> None:
    """Write one event with the time in UTC; when nobody takes it, it is lost."""
    record = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **told}
    with contextlib.suppress(OSError):
        os.write(STANDARD_ERROR, orjson.dumps(record, default=str) + b"\n")


class Handler(logging.Handler):
    """What libraries log, in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, with the traceback if there is one."""
        line(event=self.format(record), level=record.levelname.lower(), logger=record.name)


class Notes(io.StringIO):
    """A standard error for functions that print notes for people: each becomes an event."""

    def write(self, note: str) -> int:
        """Write one note."""
        if note.strip():
            line(event=note.strip(), level="warning")
        return len(note)


CONFIG = {  # of what libraries log, from warnings upward
    "handlers": {"json": {"class": f"{__name__}.Handler"}},
    "loggers": {},
    "root": {"handlers": ["json"], "level": "WARNING"},
}


def failed(request_id: str) -> None:
    """Write the exception that is being handled."""
    line(event="failed", level="error", request_id=request_id, trace=traceback.format_exc())
