"""Clients that keep asking, light enough to share a processor with the service.

`hammer` runs in the calling process; the benchmark gives it one of its own.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import uvloop


def post(path, body, kind="application/json", host="localhost", extra=""):
    """The bytes of a request."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get(path, host="localhost"):
    """The bytes of a request without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@dataclass
class Seen:
    """What clients saw: seconds of each answer by status; requests that got none or a part."""

    seconds: list[tuple[int, float]] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter)
    dropped: list[str] = field(default_factory=list)
    refused: int = 0

    def times(self, *statuses):
        """Sorted milliseconds of the answers with one of `statuses`."""
        return np.sort([1000 * s for status, s in self.seconds if status in statuses])


class Client(asyncio.Protocol):
    """One connection: a request, its whole answer, after `pause` seconds the next."""

    def __init__(self, request, seen, ended, pause=0.0):
        self.request, self.seen, self.ended, self.pause = request, seen, ended, pause
        self.answer, self.sent = b"", None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        """Begin."""
        self.transport = transport
        self.ask()

    def ask(self):
        """Send the next request, unless it is over."""
        if self.ended.is_set():
            self.transport.close()
        elif not self.transport.is_closing():
            self.answer, self.sent = b"", time.perf_counter()
            self.transport.write(self.request)

    def data_received(self, data):
        """Take a piece of an answer."""
        self.answer += data
        head, found, body = self.answer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        self.seen.seconds.append((int(head[9:12]), time.perf_counter() - self.sent))
        model = head.partition(b"x-model: ")[2].partition(b"\r\n")[0]
        self.seen.models[model.decode()] += 1
        self.sent = None
        if b"connection: close" in head.lower():
            self.transport.close()
        elif self.pause:
            asyncio.get_running_loop().call_later(self.pause, self.ask)
        else:
            self.ask()

    def connection_lost(self, error):
        """The connection is gone: with a request that was not answered, that one is dropped."""
        if self.sent is not None:
            self.seen.dropped.append(f"{error!r} after {self.answer[:80]!r}")
        self.closed.set_result(None)


async def _one(address, request, seen, ended, pause):
    """One client after the other, until the end or until nobody listens."""
    loop = asyncio.get_running_loop()
    while not ended.is_set():
        try:
            _, client = await loop.create_connection(
                lambda: Client(request, seen, ended, pause), *address
            )
        except OSError:
            seen.refused += 1
            return
        await client.closed


async def hammering(address, groups, seconds):
    """Clients for so many seconds; `groups` holds (number, request, pause). A Seen for each."""
    ended, seen = asyncio.Event(), [Seen() for _ in groups]
    clients = [
        asyncio.ensure_future(_one(address, request, told, ended, pause))
        for told, (number, request, pause) in zip(seen, groups, strict=True)
        for _ in range(number)
    ]
    await asyncio.wait(clients, timeout=seconds)
    ended.set()
    await asyncio.wait(clients, timeout=10)
    return seen


def hammer(address, groups, seconds):
    """The same, in an event loop of its own."""
    return uvloop.run(hammering(address, groups, seconds))
