"""HTTP connections with an end: whoever sends too slowly, too much or too often is cut."""

import asyncio
import secrets
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from stages.serving import logs
from stages.serving.limits import Limits

MALFORMED = "no request of HTTP/1.1"


class Protocol(HttpToolsProtocol):
    """Uvicorn's protocol within `limits`, which knows when the service is `leaving`.

    A request has `head_seconds` for its line and headers, then `request_seconds` until it
    was received and answered: a client that does not read its answer is cut, too.
    """

    def __init__(self, limits: Limits, **told: Any) -> None:
        super().__init__(**told)
        self.limits = limits
        self.timer: asyncio.TimerHandle | None = None
        self.received = 0  # bytes since the last request began
        self.in_head = self.in_body = self.leaving = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or close it when there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
        else:
            self._within(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        if self.timer is not None:
            self.timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head without end is refused, as is a body in more wrapping than goods."""
        if self.in_head and self.received > self.limits.head:
            self.send_400_response(f"a head of more than {self.limits.head:,} bytes")
        elif self.received > 2 * self.limits.body:
            self.transport.abort()
        else:
            self.received += len(data)
            super().data_received(data)

    def on_message_begin(self) -> None:
        """The first byte of a request came."""
        self.in_head, self.received = True, 0
        self._within(self.limits.head_seconds)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head of a request is whole: its answer begins."""
        self.in_head, self.in_body = False, True
        self._within(self.limits.request_seconds)
        super().on_headers_complete()
        if self.leaving and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """A request is whole."""
        self.in_body, self.received = False, 0
        super().on_message_complete()
        self._rest()

    def on_response_complete(self) -> None:
        """An answer was sent."""
        if self.pipeline:
            self._within(self.limits.request_seconds)
        super().on_response_complete()
        self._rest()

    def _rest(self) -> None:
        """Wait for the next request, once this one is received and answered."""
        if not self.in_head and not self.in_body and self.cycle.response_complete:
            self._within(self.limits.idle_seconds)

    def leave(self) -> None:
        """Answer what comes, and say with each answer that it is the last."""
        self.leaving = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, as one sentence of JSON, and close."""
        told = MALFORMED if msg.startswith("Invalid") else msg
        body = orjson.dumps({"error": told, "request_id": secrets.token_hex(8)})
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        logs.line(event=told, status=400)
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _within(self, seconds: float) -> None:
        """Cut the connection after so many seconds, unless this is called again."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.loop.call_later(seconds, self.transport.abort)
