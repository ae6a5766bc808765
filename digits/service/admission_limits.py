"""TODO"""

from dataclasses import dataclass
from pathlib import Path

from digits.service.access_control import AccessControl

MIB = 2**20


@dataclass(frozen=True)
class AdmissionLimits:
    """Bounds of one worker process; more is refused, never queued without end."""

    body: int = 16 * MIB  # bytes of one request's body
    buffered: int = 128 * MIB  # bytes of all bodies that are held at once
    head: int = 64 * 1024  # bytes of a request's line and headers
    head_seconds: int = 10  # in which they have to come, from the answer before or the beginning
    body_seconds: float = 60.0  # in which the body has to come after them
    connections: int = 512  # that are open at once; more wait
    waiting: int = 32  # requests that are worked on or wait for it; more get 503
    shed_seconds: float = 0.5  # that a 503 takes: a client that comes back at once is slowed
    linger_seconds: float = 0.5  # at the end: for what is on its way on open connections
    finish_seconds: int = 30  # at the end: for what is being answered


@dataclass(frozen=True)
class WorkerSettings:
    """What each worker needs to know."""

    guard: AccessControl
    limits: AdmissionLimits
    feedback: Path
    state: Path  # the file that names the model
    leaving: Path  # a file that is there when the service ends
