"""What every request passes through, before and after its route.

Request id, rules of `guard`, the body within its limits, a place in the queue; afterwards
headers, numbers and the line in the log. Plain ASGI.
"""

import asyncio
import re
import secrets
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stages.serving import logs, metrics, replies
from stages.serving.guard import HEADERS, READING, Guard, Limits
from stages.serving.replies import RefusedError
from stages.serving.served import Holder

ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
CLOSE = {"connection": "close"}  # what was not read of the body would be taken for a request
LATER = {"retry-after": "1"}
BUSY = "too many requests at once; try again in a second"


class Front:
    """The application `app`, guarded and observed."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        holder: Holder,
        guard: Guard,
        limits: Limits,
    ) -> None:
        self.app, self.holder, self.guard = app, holder, guard
        self.limits = limits
        self.buffered = self.waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        start = time.perf_counter()
        scope["request_id"] = _id(scope)
        scope["app"] = self  # for its sake Starlette's routes raise what they refuse
        answer = self._answering(scope, send)
        try:
            await self._checked(scope, receive, answer)
        except HTTPException as refused:
            await replies.error(scope["request_id"], refused)(scope, receive, answer)
        except Exception:  # the last resort: the client gets a sentence, the log the trace
            logs.failed(scope["request_id"])
            if not scope["status"]:
                failed = RefusedError(500, "an error of this service; its log tells more")
                await replies.error(scope["request_id"], failed)(scope, receive, answer)
        finally:
            self._observe(scope, time.perf_counter() - start)

    def _answering(self, scope: Scope, send: Send) -> Send:
        """`send` of a request, with the headers that every answer has; keeps the status."""
        scope["status"] = 0
        own = [(b"x-request-id", scope["request_id"].encode()), *HEADERS]

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["status"] = message["status"]
                closing = [] if self.holder.ready else [(b"connection", b"close")]
                message["headers"] = [*message["headers"], *own, *closing]
            await send(message)

        return answering

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.guard.check(scope["method"], scope["path"], scope["headers"])
        if scope["method"] in READING:
            if scope["method"] == "HEAD":
                scope["method"] = "GET"  # the server leaves the body away
            await self.app(scope, receive, send)
            return
        await self._admit()
        body = bytearray()
        try:
            await self._read(scope, receive, body)
            await self._admit()
            if not self.holder.ready:
                await asyncio.sleep(self.holder.until - time.monotonic())
            self._count(+1)
            try:
                await self.app(scope, _replayed(bytes(body), receive), send)
            finally:
                self._count(-1)
        finally:
            self.buffered -= len(body)

    async def _admit(self) -> None:
        """Raise RefusedError while as much is in work as can be finished in time."""
        if self.waiting >= self.limits.waiting or self.buffered >= self.limits.buffered:
            metrics.SHEDS.inc()
            await asyncio.sleep(self.limits.shed_seconds)
            raise RefusedError(503, BUSY, LATER)

    def _count(self, change: int) -> None:
        self.waiting += change
        metrics.WAITING.set(self.waiting)

    async def _read(self, scope: Scope, receive: Receive, body: bytearray) -> None:
        """Read the body. Raises RefusedError when it is too large, takes too long or ends early."""
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self.limits.body:
                raise self._too_large()
        more = True
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while more:
                    message = await receive()
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    body += chunk
                    self.buffered += len(chunk)
                    self._check(message, body)
        except TimeoutError:
            raise RefusedError(408, "the body took too long", CLOSE) from None

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"more than {self.limits.body:,} bytes", CLOSE)

    def _check(self, message: Message, body: bytearray) -> None:
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "the body ended early", CLOSE)
        if len(body) > self.limits.body:
            raise self._too_large()
        if self.buffered > self.limits.buffered:
            metrics.SHEDS.inc()
            raise RefusedError(503, BUSY, LATER | CLOSE)

    def _observe(self, scope: Scope, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        metrics.labelled(metrics.REQUESTS, route, scope["status"]).inc()
        metrics.labelled(metrics.DURATIONS, route).observe(seconds)
        logs.line(
            request_id=scope["request_id"],
            method=scope["method"],
            route=route,
            status=scope["status"],
            ms=round(seconds * 1000, 2),
            model=self.holder.served.headers["x-model"],
        )


def _id(scope: Scope) -> str:
    """The client's own id where it is a plain one, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and ID.fullmatch(value):
            return str(value.decode())
    return secrets.token_hex(8)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """`receive` of a request whose body was read."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replaying() -> Message:
        return messages.pop() if messages else await receive()

    return replaying
