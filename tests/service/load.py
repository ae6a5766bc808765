"""Clients that send requests without pause, light enough to share a processor with the service.

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
class Traffic:
    """Responses as (status, seconds), the models that answered, and requests without a response.

    `refused` counts connections that were refused.
    """

    seconds: list[tuple[int, float]] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter)
    dropped: list[str] = field(default_factory=list)
    refused: int = 0

    def times(self, *statuses):
        """Sorted milliseconds of the responses with one of `statuses`."""
        return np.sort([1000 * s for status, s in self.seconds if status in statuses])

    @property
    def failures(self):
        """Dropped requests, and responses other than 200."""
        return [*self.dropped, *(f"status {s}" for s, _ in self.seconds if s != 200)]


class Client(asyncio.Protocol):
    """One connection that sends the next request `pause` seconds after each response."""

    def __init__(self, request, traffic, ended, pause=0.0):
        self.request, self.traffic, self.ended, self.pause = request, traffic, ended, pause
        self.response, self.sent = b"", None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        """Send the first request."""
        self.transport = transport
        self.send()

    def send(self):
        """Send the next request, or close the connection at the end."""
        if self.ended.is_set():
            self.transport.close()
        elif not self.transport.is_closing():
            self.response, self.sent = b"", time.perf_counter()
            self.transport.write(self.request)

    def data_received(self, data):
        """Add a piece of a response; count the response once it is whole."""
        self.response += data
        head, separator, body = self.response.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        if not separator or len(body) < int(length):
            return
        self.traffic.seconds.append((int(head[9:12]), time.perf_counter() - self.sent))
        model = head.partition(b"x-model: ")[2].partition(b"\r\n")[0]
        self.traffic.models[model.decode()] += 1
        self.sent = None
        if b"connection: close" in head.lower():
            self.transport.close()
        elif self.pause:
            asyncio.get_running_loop().call_later(self.pause, self.send)
        else:
            self.send()

    def connection_lost(self, error):
        """Count a request without a response as dropped."""
        if self.sent is not None:
            self.traffic.dropped.append(f"{error!r} after {self.response[:80]!r}")
        self.closed.set_result(None)


async def _reconnect(address, request, traffic, ended, pause):
    """Run one client after the other, until the end or until a connection is refused."""
    loop = asyncio.get_running_loop()
    while not ended.is_set():
        try:
            _, client = await loop.create_connection(
                lambda: Client(request, traffic, ended, pause), *address
            )
        except OSError:
            traffic.refused += 1
            return
        await client.closed


async def hammering(address, groups, seconds):
    """Run groups of clients, (number, request, pause) each. Returns the traffic of each group."""
    ended, traffic = asyncio.Event(), [Traffic() for _ in groups]
    clients = [
        asyncio.ensure_future(_reconnect(address, request, own, ended, pause))
        for own, (number, request, pause) in zip(traffic, groups, strict=True)
        for _ in range(number)
    ]
    await asyncio.wait(clients, timeout=seconds)
    ended.set()
    await asyncio.wait(clients, timeout=10)
    return traffic


def hammer(address, groups, seconds):
    """Run `hammering` in an event loop of its own."""
    return uvloop.run(hammering(address, groups, seconds))
