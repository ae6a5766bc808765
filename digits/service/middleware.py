"""The steps that every request passes before and after its route.

Before: request id, access control, the body within its limits, admission. After: headers,
metrics and a line in the log. Granian limits connections and heads (`digits.service.processes`).
"""

import asyncio
import re
import secrets
import time
import traceback
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from digits.service import json_logs, prometheus_metrics, web_pages
from digits.service.access_control import SAFE_METHODS, SECURITY_HEADERS
from digits.service.admission_limits import WorkerSettings
from digits.service.openapi_routes import RouteTable
from digits.service.responses import RequestRefusedError
from digits.service.served_model import ModelHolder
from digits.service.tensor_payloads import INLINE_BYTES

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CLOSE = {"connection": "close"}  # else the rest of a body would be taken for a request
LATER = {"retry-after": "1"}
BUSY = "too many requests at once; try again in a second"


class RequestMiddleware:
    """The application that Granian calls: `routes` behind access control and limits."""

    def __init__(self, routes: RouteTable, holder: ModelHolder, settings: WorkerSettings) -> None:
        self.routes, self.holder = routes, holder
        self.access, self.limits = settings.access, settings.limits
        self.buffered = self.waiting = 0

    async def __rsgi__(self, request: Any, protocol: Any) -> None:
        """Answer one request, through Granian's own interface (RSGI)."""
        start = time.perf_counter()
        scope = _scope(request)
        try:
            response = await self._respond(scope, protocol)
        except HTTPException as refused:
            response = web_pages.error_response(scope, refused)
        except Exception:  # the client gets a sentence, the log gets the traceback
            fields = {"level": "error", "request_id": scope["request_id"]}
            json_logs.log_event(event="failed", **fields, trace=traceback.format_exc())
            failed = RequestRefusedError(500, "internal error; the service's log has the details")
            response = web_pages.error_response(scope, failed)
        headers = [(name.decode(), value.decode()) for name, value in response.raw_headers]
        headers += [("x-request-id", scope["request_id"]), *SECURITY_HEADERS]
        headers += [] if self.holder.ready else CLOSE.items()
        protocol.response_bytes(response.status_code, headers, response.body)
        self._observe(scope, response.status_code, time.perf_counter() - start)

    async def _respond(self, scope: Scope, body: AsyncIterable[bytes]) -> Response:
        """Return the response. Raises HTTPException when the request is refused."""
        self.access.check(scope["method"], scope["path"], scope["headers"])
        if scope["method"] in SAFE_METHODS:
            return await self.routes.respond(scope)
        await self._check_load()
        content = bytearray()
        try:
            await self._read(scope, body, content)
            scope["body"] = bytes(content)
            await self._check_load()
            if not self.holder.ready:
                await asyncio.sleep(self.holder.drain_until - time.monotonic())
            self.waiting += 1
            prometheus_metrics.WAITING.inc()
            try:
                return await self.routes.respond(scope)
            finally:
                self.waiting -= 1
                prometheus_metrics.WAITING.dec()
        finally:
            self.buffered -= len(content)

    async def _check_load(self) -> None:
        """Raise RequestRefusedError while too many requests wait or too many bytes are held."""
        if self.waiting >= self.limits.waiting or self.buffered >= self.limits.buffered:
            prometheus_metrics.SHEDS.inc()
            await asyncio.sleep(self.limits.shed_seconds)
            raise RequestRefusedError(503, BUSY, LATER)

    async def _read(self, scope: Scope, body: AsyncIterable[bytes], content: bytearray) -> None:
        """Append the body to `content`.

        Raises RequestRefusedError when it is too large, takes too long or ends early.
        """
        declared = max((int(v) for k, v in scope["headers"] if k == b"content-length"), default=0)
        self._check_size(declared)
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                async for chunk in _in_one_piece(body) if 0 < declared <= INLINE_BYTES else body:
                    content += chunk
                    self.buffered += len(chunk)
                    self._check_size(len(content))
        except TimeoutError:
            raise RequestRefusedError(408, "the body took too long", CLOSE) from None
        if len(content) < declared:
            raise RequestRefusedError(400, "the body ended early", CLOSE)

    def _check_size(self, size: int) -> None:
        """Raise RequestRefusedError if a body of `size` bytes, or all bodies, are too large."""
        if size > self.limits.body:
            raise RequestRefusedError(413, f"more than {self.limits.body:,} bytes; split it", CLOSE)
        if self.buffered > self.limits.buffered:
            prometheus_metrics.SHEDS.inc()
            raise RequestRefusedError(503, BUSY, LATER | CLOSE)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request and log it."""
        route = getattr(scope.get("route"), "path", "other")
        route += " (draft)" if scope.get("draft") else ""
        prometheus_metrics.labelled_metric(prometheus_metrics.REQUESTS, route, status).inc()
        prometheus_metrics.labelled_metric(prometheus_metrics.DURATIONS, route).observe(seconds)
        fields = {"request_id": scope["request_id"], "method": scope["method"], "route": route}
        fields |= {"status": status, "ms": round(seconds * 1000, 2)}
        json_logs.log_event(**fields, model=self.holder.served.headers["x-model"])


async def _in_one_piece(body: Any) -> AsyncIterator[bytes]:
    """Yield a small body whole, because each piece costs two changes of threads."""
    with suppress(RuntimeError):  # Granian raises it when the client is gone
        yield await body()


def _scope(request: Any) -> Scope:
    """Convert a request to Starlette's form, with the client's request id or a new one."""
    sent_id = request.headers.get("x-request-id", "")
    return {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "query_string": request.query_string.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in request.headers.items()],
        "request_id": sent_id if REQUEST_ID.fullmatch(sent_id) else secrets.token_hex(8),
    }
