"""What one service takes on; more is refused, never queued without end."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds of one worker process."""

    body: int = 16 * MIB  # bytes of one request's body
    buffered: int = 128 * MIB  # bytes of all bodies that are held at once
    head: int = 64 * 1024  # bytes of a request's line and headers
    head_seconds: float = 5.0  # in which they have to come
    request_seconds: float = 60.0  # from there to the end of the answer
    idle_seconds: float = 60.0  # that a connection without a request stays open
    connections: int = 1000
    waiting: int = 32  # requests that are worked on or wait for it; more get 503
    shed_seconds: float = 0.5  # that a 503 takes: a client that comes back at once is slowed
    linger_seconds: float = 1.0  # at the end: for what is on its way on open connections
    finish_seconds: float = 30.0  # at the end: for what is being answered
