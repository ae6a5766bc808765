"""Who may ask, and how much: this computer's own pages and programs, or whoever has the token."""

import base64
import binascii
import hmac
import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path

from digits.project.errors import UserError
from digits.service.responses import RequestRefusedError

TOKEN_VARIABLE = "DIGITS_TOKEN"  # noqa: S105  (the name of a variable)
MIN_TOKEN_LENGTH = 16  # characters of a token
LOOPBACK = re.compile(rb"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d{1,5})?", re.IGNORECASE)
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
PUBLIC_PATHS = {
    "/ping",
    "/health",
    "/v2/health/live",
    "/v2/health/ready",
}  # for what restarts services
SECURITY_HEADERS = [
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
HeaderList = list[tuple[bytes, bytes]]


def is_loopback(host: str) -> bool:
    """Whether only this computer reaches an address to listen on."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(file: Path | None) -> str | None:
    """The token of a file, or else of the environment; never of a command line."""
    try:
        found = file.read_text().strip() if file else os.environ.get(TOKEN_VARIABLE, "").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error}); expected a file with a token") from error
    if (file or found) and len(found) < MIN_TOKEN_LENGTH:
        raise UserError(f"the token has {len(found)} characters; take at least {MIN_TOKEN_LENGTH}")
    return found or None


def access_control_for(host: str, token: str | None) -> "AccessControl":
    """The rules of a service that listens on `host`.

    Raises UserError when others could reach it without a token.
    """
    guard = AccessControl(is_loopback(host), token)
    if not guard.loopback and guard.token is None:
        found = f"others could reach {host} and there is no token"
        raise UserError(f"{found}; set {TOKEN_VARIABLE} or give --token-file, or leave --host away")
    return guard


@dataclass(frozen=True)
class AccessControl:
    """The rules of one service. `token`: None only where `loopback`."""

    loopback: bool = True
    token: str | None = None

    def check(self, method: str, path: str, headers: HeaderList) -> None:
        """Raise RefusedError for a request that is not to be answered.

        A foreign page whose name was made to lead here says its own name as the host; one
        that posts here says its own origin. Whether the service lives may be asked by all,
        also by probes that name no host, as in HTTP/1.0.
        """
        if path in PUBLIC_PATHS and method in SAFE_METHODS:
            return
        host = self._host(headers)
        if method not in SAFE_METHODS:
            for origin in _header_values(headers, b"origin"):
                if origin.lower() not in {b"http://" + host, b"https://" + host}:
                    raise RequestRefusedError(403, "other sites may not post here")
        if any(b"multipart" in v.lower() for v in _header_values(headers, b"content-type")):
            raise RequestRefusedError(415, "no forms; send the picture's bytes as the body")
        if self.token is not None:
            _authorise(_header_values(headers, b"authorization"), self.token)

    def _host(self, headers: HeaderList) -> bytes:
        hosts = _header_values(headers, b"host")
        if len(hosts) != 1:
            raise RequestRefusedError(400, "expected one Host header")
        if self.loopback and not LOOPBACK.fullmatch(hosts[0]):
            raise RequestRefusedError(403, "this is localhost; the Host header names another")
        return hosts[0].lower()


def _authorise(given: list[bytes], token: str) -> None:
    """By `Bearer TOKEN`, or as the password that a browser asks for."""
    tokens = [_decode_token(value) for value in given]
    if len(tokens) != 1 or not hmac.compare_digest(tokens[0], token.encode()):
        asked = {"www-authenticate": 'Basic realm="digits: any name, the token as password"'}
        raise RequestRefusedError(401, "expected Authorization: Bearer with the token", asked)


def _header_values(headers: HeaderList, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


def _decode_token(value: bytes) -> bytes:
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    try:
        return base64.b64decode(rest, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
