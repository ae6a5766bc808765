"""Access control: allow pages and programs of this computer, and clients with the token.

Limits on the size and number of requests are in `digits.service.admission_limits`.
"""

import base64
import binascii
import hmac
import ipaddress
import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from digits.project.errors import UserError
from digits.service.responses import RequestRefusedError

TOKEN_VARIABLE = "DIGITS_TOKEN"  # noqa: S105  (the name of a variable)
MIN_TOKEN_LENGTH = 16  # characters
LOOPBACK = re.compile(rb"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d{1,5})?", re.IGNORECASE)
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# Health checks of load balancers and supervisors need no token.
PUBLIC_PATHS = {"/ping", "/health", "/v2/health/live", "/v2/health/ready"}
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


def plain_address(host: str) -> str:
    """Return an address as the system takes it, of [::1] and short forms such as 127.1, too."""
    host = host.removeprefix("[").removesuffix("]")
    with suppress(OSError):
        return socket.inet_ntoa(socket.inet_aton(host))
    return host


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this computer only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_tokens(file: Path | None) -> tuple[str, ...]:
    """Read the tokens, one a line, from `file`, or else from the environment.

    There is no option for them, because other users can read command lines. Raises UserError
    when the file cannot be read or has no token, or when a token is too short.
    """
    try:
        text = file.read_text() if file else os.environ.get(TOKEN_VARIABLE, "")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error}); expected a file with a token") from error
    tokens = tuple(line.strip() for line in text.strip().splitlines())
    shortest = min(map(len, tokens), default=0)
    if (file or tokens) and shortest < MIN_TOKEN_LENGTH:
        raise UserError(f"the token has {shortest} characters; use at least {MIN_TOKEN_LENGTH}")
    return tokens


def access_control_for(host: str, tokens: tuple[str, ...]) -> "AccessControl":
    """Return the access rules of a service that listens on `host`.

    Raises UserError when other computers could reach it without a token.
    """
    if not tokens and not is_loopback(host):
        problem = f"other computers can reach {host} and there is no token"
        raise UserError(f"{problem}; set {TOKEN_VARIABLE}, give --token-file, or leave out --host")
    return AccessControl(tokens)


@dataclass(frozen=True)
class AccessControl:
    """The access rules of one service: without tokens, only this computer may ask."""

    tokens: tuple[str, ...] = ()

    def check(self, method: str, path: str, headers: HeaderList) -> None:
        """Raise RequestRefusedError unless the request may be answered.

        A page of another site sends its own origin. Under DNS rebinding it sends its own host
        name. Health checks are open to all, because HTTP/1.0 probes send no host.
        """
        if path in PUBLIC_PATHS and method in SAFE_METHODS:
            return
        host = self._host(headers)
        if method not in SAFE_METHODS:
            for origin in _header_values(headers, b"origin"):
                if origin.lower() not in {b"http://" + host, b"https://" + host}:
                    raise RequestRefusedError(403, "pages of other sites may not send requests")
        if any(b"multipart" in v.lower() for v in _header_values(headers, b"content-type")):
            raise RequestRefusedError(415, "forms are not read; send the image's bytes as the body")
        if self.tokens:
            _check_token(_header_values(headers, b"authorization"), self.tokens)

    def _host(self, headers: HeaderList) -> bytes:
        """Return the host that a request names, in lower case."""
        hosts = _header_values(headers, b"host")
        if len(hosts) != 1:
            raise RequestRefusedError(400, "expected one Host header")
        if not self.tokens and not LOOPBACK.fullmatch(hosts[0]):
            raise RequestRefusedError(403, "expected localhost or 127.0.0.1 in the Host header")
        return hosts[0].lower()


def _check_token(credentials: list[bytes], tokens: tuple[str, ...]) -> None:
    """Raise RequestRefusedError unless a token is sent, as bearer or as Basic password."""
    sent = [_decode_token(value) for value in credentials]
    if len(sent) != 1 or not any(hmac.compare_digest(sent[0], t.encode()) for t in tokens):
        challenge = {"www-authenticate": 'Basic realm="digits: any name, the token as password"'}
        raise RequestRefusedError(401, "expected Authorization: Bearer with the token", challenge)


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
