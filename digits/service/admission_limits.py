"""Settings of a worker process, and the limits on the requests that it admits.

The limits are enforced in `digits.service.middleware` and by Granian, the HTTP server.
"""

from dataclasses import dataclass
from pathlib import Path

from digits.service.access_control import AccessControl


@dataclass(frozen=True)
class AdmissionLimits:
    """Limits of one worker process. Requests beyond them are refused at once."""

    body: int = 16 * 2**20  # bytes of one request's body
    buffered: int = 128 * 2**20  # bytes of all bodies in memory
    head: int = 64 * 1024  # bytes of a request's line and headers
    head_seconds: int = 10  # for a whole head, since the connection or the last response began
    body_seconds: float = 60.0  # for the body after the head
    connections: int = 4096  # open at once, a few kB each; more of them wait
    waiting: int = 32  # requests in progress or in a queue; more get 503
    shed_seconds: float = 0.5  # before a 503 is sent, to slow down clients that retry at once
    linger_seconds: float = 0.5  # at shutdown: for requests still on their way
    finish_seconds: int = 30  # at shutdown: for requests in progress


@dataclass(frozen=True)
class WorkerSettings:
    """Settings that every worker process gets."""

    access: AccessControl
    limits: AdmissionLimits
    feedback: Path  # the folder of the stored feedback
    state: Path  # the file that names the model to serve
    stop_file: Path  # exists once the service shuts down
