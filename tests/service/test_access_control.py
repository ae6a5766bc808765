"""Which requests are answered, and on which addresses the service may listen."""

import base64
import re
import socket
import subprocess
import sys

import pytest

from digits.service import processes
from digits.service.access_control import (
    AccessControl,
    is_loopback,
    plain_address,
    read_tokens,
)
from digits.service.responses import RequestRefusedError
from tests.cli.test_main import refusal
from tests.service.conftest import request
from tests.service.service import served

SECRET = "correct-horse-battery"


def refused_status(access, headers, method="POST", path="/predict"):
    """The status with which a request with these headers is refused; 0 when it is not."""
    try:
        access.check(method, path, [(k.encode(), v.encode()) for k, v in headers])
    except RequestRefusedError as error:
        return error.status_code
    return 0


def test_a_local_service_accepts_only_local_host_names():
    """A foreign name that resolves to 127.0.0.1 (DNS rebinding) is refused."""
    local = ("localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000")
    foreign = ("127.0.0.1.evil.example", "localhost.evil.example:8000", "evil.example")
    for host in (*local, *foreign, "localhost:80@evil.example", ""):
        status = refused_status(AccessControl(), [("host", host)], "GET")
        assert status == (0 if host in local else 403), host
    assert refused_status(AccessControl(), [("host", "localhost")] * 2, "GET") == 400


def test_pages_of_other_sites_may_not_post():
    """The origin must be the host. Browsers prevent reading, because there are no CORS headers."""
    own, foreign = ("localhost:8000", "LOCALHOST:8000"), ("localhost:9000", "evil.example", "[")
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in own + foreign]
    for origin in (*origins, "null"):
        headers = [("host", "localhost:8000"), ("origin", origin)]
        status = 0 if origin.endswith(own) else 403
        assert refused_status(AccessControl(), headers) == status, origin
        assert refused_status(AccessControl(), headers, "GET") == 0


def test_everything_but_health_checks_needs_the_token():
    """A token is sent as bearer token or as the password of Basic authentication."""
    access = AccessControl((f"{SECRET}-2", SECRET))
    basic = base64.b64encode(f"anybody:{SECRET}".encode()).decode()

    def status(*values, path="/predict"):
        credentials = [("authorization", value) for value in values]
        return refused_status(access, [("host", "digits.example"), *credentials], "GET", path)

    assert status(f"Bearer {SECRET}") == status(f"Basic {basic}") == 0
    assert status(f"Bearer {SECRET}-2") == 0
    for wrong in (f"Bearer {SECRET}x", "Bearer", "Bearer ", "Basic", "Basic !", SECRET, "", "é"):
        assert status(wrong) == 401, wrong
    assert status() == status(f"Bearer {SECRET}", f"Bearer {SECRET}") == 401
    assert status(path="/metrics") == status(path="/") == 401
    assert status(path="/v2/health/ready") == status(path="/ping") == 0


def test_loopback_addresses_are_recognized():
    """Names are not resolved: of all names, only localhost is loopback."""
    assert [is_loopback(h) for h in ("localhost", "127.0.0.1", "127.1.2.3", "::1")] == [True] * 4
    assert [is_loopback(h) for h in ("0.0.0.0", "::", "10.0.0.1", "a.example")] == [False] * 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "other computers can reach 0.0.0.0 and there is no token; set"),
        (["--token-file", "absent"], "absent cannot be read"),
        (["--token-file", "short"], "the token has 3 characters; use at least 16"),
        (["--port", "1", "--host", "192.0.2.1", "--token-file", "good"], "cannot listen on"),
    ],
)
def test_an_unsafe_service_does_not_start(tmp_path, monkeypatch, capsys, arguments, words):
    """The command prints one line, without the token, and exits with status 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIGITS_TOKEN", raising=False)
    (tmp_path / "short").write_text("abc\n")
    (tmp_path / "good").write_text(SECRET)

    message = refusal(capsys, "serve", *arguments)
    assert words in message
    assert SECRET not in message


def test_the_usual_port_may_be_taken(monkeypatch):
    """Without --port, the next free one is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        monkeypatch.setattr(processes, "FIRST_PORT", first)
        with processes.reserve_address("127.0.0.1", None) as (_, port):
            assert first < port < first + 100


# Another program listens on the port that the service has bound, before its workers do.
QUICKER = """
import socket
from digits.cli.main import main
from digits.service import processes
server = processes._server
def late_server(address, *others):
    globals()["other"] = socket.create_server(address)
    return server(address, *others)
processes._server = late_server
main()
"""


def test_another_program_that_takes_the_port_is_told_in_one_line(project):
    """Status 2, and no traceback of the server; its workers may have logged that they ended."""
    command = [sys.executable, "-c", QUICKER, "serve", "--port", "0", "--model", "model"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    told = done.stderr.splitlines()[-1]
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert re.search(r"port \d+ \(Address already in use\); choose another --port", told)


def test_tokens_come_from_file_or_environment(tmp_path, monkeypatch):
    """The file has precedence. Each line is a token."""
    monkeypatch.setenv("DIGITS_TOKEN", SECRET)
    (tmp_path / "token").write_text(f"{SECRET}-2\n{SECRET}-3\n")

    assert read_tokens(None) == (SECRET,)
    assert read_tokens(tmp_path / "token") == (f"{SECRET}-2", f"{SECRET}-3")


def test_a_service_on_all_addresses_requires_the_token(project):
    """Over real connections; only health checks are answered without it."""
    options = ["--model", "model", "--host", "0.0.0.0"]
    with served(project, *options, environment={"DIGITS_TOKEN": SECRET}) as (_, (_, port)):
        address = ("127.0.0.1", port)
        allowed = {"Authorization": f"Bearer {SECRET}", "Host": "digits.example"}
        without = request(address, "GET", "/v2")
        health = request(address, "GET", "/ping")
        with_token = request(address, "GET", "/v2", **allowed)

    assert (without[0], health[0], with_token[0]) == (401, 200, 200)
    assert "Basic" in without[1]["www-authenticate"]


def test_every_response_has_security_headers(ask):
    """Errors, too: no framing, no sniffing, no content of other sites, no CORS."""
    for path in ("/ping", "/", "/nowhere"):
        headers = ask("GET", path, Origin="http://evil.example")[1]
        assert headers["content-security-policy"].startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("host", "plain"),
    [("[::1]", "::1"), ("127.1", "127.0.0.1"), ("localhost", "localhost"), ("0.0.0.0", "0.0.0.0")],
)
def test_other_forms_of_an_address_are_taken(host, plain):
    """Brackets as in an address of the web, and numbers that are left out."""
    assert plain_address(host) == plain
    assert is_loopback(plain_address(host)) == (host != "0.0.0.0")
