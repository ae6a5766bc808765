"""What every request passes through, before and after its route.

Request id, rules of `guard`, the body within its limits, a place in the queue; afterwards
headers, numbers and the line in the log.
"""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from digits.service import json_logs, prometheus_metrics, responses
from digits.service.access_control import SAFE_METHODS, SECURITY_HEADERS, AccessControl
from digits.service.admission_limits import AdmissionLimits
from digits.service.openapi_routes import RouteTable
from digits.service.responses import RequestRefusedError
from digits.service.served_model import ModelHolder
from digits.service.tensor_payloads import INLINE_BYTES

ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CLOSE = {"connection": "close"}  # what was not read of the body would be taken for a request
LATER = {"retry-after": "1"}
BUSY = "too many requests at once; try again in a second"


class RequestMiddleware:
    """The application: `routes`, guarded and observed."""

    def __init__(
        self, routes: RouteTable, holder: ModelHolder, guard: AccessControl, limits: AdmissionLimits
    ) -> None:
        self.routes, self.holder, self.guard, self.limits = routes, holder, guard, limits
        self.buffered = self.waiting = 0

    async def __rsgi__(self, asked: Any, protocol: Any) -> None:
        """One request, as Granian's own interface has it: by ASGI the server costs half more."""
        start = time.perf_counter()
        scope = _scope(asked)
        try:
            response = await self._answer(scope, protocol)
        except HTTPException as refused:
            response = responses.error_response(scope["request_id"], refused)
        except Exception:  # the last resort: the client gets a sentence, the log the trace
            json_logs.log_exception(scope["request_id"])
            failed = RequestRefusedError(500, "an error of this service; its log tells more")
            response = responses.error_response(scope["request_id"], failed)
        headers = [(name.decode(), value.decode()) for name, value in response.raw_headers]
        headers += [("x-request-id", scope["request_id"]), *SECURITY_HEADERS]
        if not self.holder.ready:
            headers.append(("connection", "close"))
        protocol.response_bytes(response.status_code, headers, response.body)
        self._observe(scope, response.status_code, time.perf_counter() - start)

    async def _answer(self, scope: Scope, body: AsyncIterable[bytes]) -> Response:
        """What is answered. Raises HTTPException when the request is refused."""
        self.guard.check(scope["method"], scope["path"], scope["headers"])
        if scope["method"] in SAFE_METHODS:
            return await self.routes.answer(scope)
        await self._admit()
        read = bytearray()
        try:
            await self._read(scope, body, read)
            scope["body"] = bytes(read)
            await self._admit()
            if not self.holder.ready:
                await asyncio.sleep(self.holder.drain_until - time.monotonic())
            self._count(+1)
            try:
                return await self.routes.answer(scope)
            finally:
                self._count(-1)
        finally:
            self.buffered -= len(read)

    async def _admit(self) -> None:
        """Raise RefusedError while as much is in work as can be finished in time."""
        if self.waiting >= self.limits.waiting or self.buffered >= self.limits.buffered:
            prometheus_metrics.SHEDS.inc()
            await asyncio.sleep(self.limits.shed_seconds)
            raise RequestRefusedError(503, BUSY, LATER)

    def _count(self, change: int) -> None:
        self.waiting += change
        prometheus_metrics.WAITING.set(self.waiting)

    async def _read(self, scope: Scope, body: AsyncIterable[bytes], read: bytearray) -> None:
        """Read the body. Raises RefusedError when it is too large, takes too long or ends early."""
        lengths = (int(value) for name, value in scope["headers"] if name == b"content-length")
        said = max(lengths, default=0)
        self._check(said)
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                async for chunk in _once(body) if 0 < said <= INLINE_BYTES else body:
                    read += chunk
                    self.buffered += len(chunk)
                    self._check(len(read))
        except TimeoutError:
            raise RequestRefusedError(408, "the body took too long", CLOSE) from None
        if len(read) < said:
            raise RequestRefusedError(400, "the body ended early", CLOSE)

    def _check(self, size: int) -> None:
        """Raise RefusedError for a body of so many bytes, and while all bodies have too many."""
        if size > self.limits.body:
            raise RequestRefusedError(413, f"more than {self.limits.body:,} bytes", CLOSE)
        if self.buffered > self.limits.buffered:
            prometheus_metrics.SHEDS.inc()
            raise RequestRefusedError(503, BUSY, LATER | CLOSE)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        prometheus_metrics.labelled_metric(prometheus_metrics.REQUESTS, route, status).inc()
        prometheus_metrics.labelled_metric(prometheus_metrics.DURATIONS, route).observe(seconds)
        json_logs.log_event(
            request_id=scope["request_id"],
            method=scope["method"],
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            model=self.holder.served.headers["x-model"],
        )


async def _once(body: Any) -> AsyncIterator[bytes]:
    """A small body in one piece, or nothing: each piece costs two changes of threads."""
    with suppress(RuntimeError):  # Granian's word for a client that is gone
        yield await body()


def _scope(asked: Any) -> Scope:
    """A request as Starlette has it, with the id that the client gave it or a new one."""
    given = asked.headers.get("x-request-id", "")
    return {
        "type": "http",
        "method": asked.method,
        "path": asked.path,
        "query_string": asked.query_string.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in asked.headers.items()],
        "request_id": given if ID.fullmatch(given) else secrets.token_hex(8),
    }
