"""Who may ask, and how much: this computer's own pages and programs, or whoever has the token."""

import base64
import binascii
import hmac
import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path

from stages.lib.errors import UserError
from stages.serving.replies import RefusedError

TOKEN = "DIGITS_TOKEN"  # noqa: S105  (the name of a variable)
SHORTEST = 16  # characters of a token
MIB = 2**20
LOOPBACK = re.compile(rb"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d{1,5})?", re.IGNORECASE)
READING = {"GET", "HEAD", "OPTIONS"}
OPEN = {"/ping", "/health", "/v2/health/live", "/v2/health/ready"}  # for what restarts services
HEADERS = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
]
Headers = list[tuple[bytes, bytes]]


def is_loopback(host: str) -> bool:
    """Whether only this computer reaches an address to listen on."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token(file: Path | None) -> str | None:
    """The token of a file, or else of the environment; never of a command line."""
    try:
        found = file.read_text().strip() if file else os.environ.get(TOKEN, "").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error}); expected a file with a token") from error
    if (file or found) and len(found) < SHORTEST:
        raise UserError(f"the token has {len(found)} characters; take at least {SHORTEST}")
    return found or None


@dataclass(frozen=True)
class Limits:
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


def of(host: str, token: str | None) -> "Guard":
    """The rules of a service that listens on `host`.

    Raises UserError when others could reach it without a token.
    """
    guard = Guard(is_loopback(host), token)
    if not guard.loopback and guard.token is None:
        found = f"others could reach {host} and there is no token"
        raise UserError(f"{found}; set {TOKEN} or give --token-file, or leave --host away")
    return guard


@dataclass(frozen=True)
class Guard:
    """The rules of one service. `token`: None only where `loopback`."""

    loopback: bool = True
    token: str | None = None

    def check(self, method: str, path: str, headers: Headers) -> None:
        """Raise RefusedError for a request that is not to be answered.

        A foreign page whose name was made to lead here says its own name as the host; one
        that posts here says its own origin. Whether the service lives may be asked by all,
        also by probes that name no host, as in HTTP/1.0.
        """
        if path in OPEN and method in READING:
            return
        host = self._host(headers)
        if method not in READING:
            for origin in _values(headers, b"origin"):
                if origin.lower() not in {b"http://" + host, b"https://" + host}:
                    raise RefusedError(403, "other sites may not post here")
        if any(b"multipart" in v.lower() for v in _values(headers, b"content-type")):
            raise RefusedError(415, "no forms; send the picture's bytes as the body")
        if self.token is not None:
            _authorise(_values(headers, b"authorization"), self.token)

    def _host(self, headers: Headers) -> bytes:
        hosts = _values(headers, b"host")
        if len(hosts) != 1:
            raise RefusedError(400, "expected one Host header")
        if self.loopback and not LOOPBACK.fullmatch(hosts[0]):
            raise RefusedError(403, "this is localhost; the Host header names another")
        return hosts[0].lower()


def _authorise(given: list[bytes], token: str) -> None:
    """By `Bearer TOKEN`, or as the password that a browser asks for."""
    tokens = [_token(value) for value in given]
    if len(tokens) != 1 or not hmac.compare_digest(tokens[0], token.encode()):
        asked = {"www-authenticate": 'Basic realm="digits: any name, the token as password"'}
        raise RefusedError(401, "expected Authorization: Bearer with the token", asked)


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


def _token(value: bytes) -> bytes:
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    try:
        return base64.b64decode(rest, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
