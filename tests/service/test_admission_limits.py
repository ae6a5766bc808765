"""Clients that send too slowly, too much or too often get a 4xx or 503, or are disconnected."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import orjson
import pytest

from digits.service.responses import RequestRefusedError, parse_json
from tests.service.conftest import raw, request
from tests.service.load import get, hammer, post

BODY = json.dumps({"inputs": [[[0] * 28] * 28]}).encode()
REQUEST = post("/invocations", BODY)


def status(response):
    """The status of a raw response; 0 for none."""
    return int(response[9:12]) if response else 0


def test_a_client_that_stops_sending_is_disconnected(tight):
    """After nothing, half a head, half a body, or a whole request, the connection is closed."""
    head = b" HTTP/1.1\r\nHost: localhost\r\n"
    half = [b"", b"POST /invocations" + head, REQUEST[: len(REQUEST) // 2]]
    half += [b"POST /predict" + head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n"]
    whole = [b"GET /ping" + head + b"Content-Length: 9\r\n\r\n", get("/ping")]
    with ThreadPoolExecutor(len(half + whole)) as pool:
        responses = list(
            pool.map(lambda beginning: raw(tight, beginning, seconds=20), half + whole)
        )

    assert {status(response) for response in responses[: len(half)]} <= {0, 408}
    assert [status(response) for response in responses[len(half) :]] == [200, 200]


def test_a_client_that_sends_byte_by_byte_is_disconnected(tight):
    """A byte now and then does not keep a connection open."""
    for beginning in (b"POST / HTTP/1.1\r\nHost: localhost\r\nX: ", REQUEST[:-50]):
        with socket.create_connection(tight, timeout=20) as connection:
            connection.sendall(beginning)
            assert is_disconnected(connection, b"x", 0.05)


def is_disconnected(connection, piece, pause):
    """Whether the server closes a connection over which a piece is sent now and then."""
    until = time.monotonic() + 60
    try:
        while time.monotonic() < until:
            connection.sendall(piece)
            time.sleep(pause)
    except ConnectionError:
        return True
    return False


def test_large_bodies_are_refused_before_they_are_read(tight):
    """By their declared length, or as soon as they exceed the limit."""
    head = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\n"
    declared = raw(tight, head + b"Content-Length: 10001\r\n\r\n")
    chunk = b"1000\r\n" + bytes(4096) + b"\r\n"
    chunked = raw(tight, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3)

    assert [status(declared), status(chunked)] == [413, 413]
    answer = json.loads(declared.partition(b"\r\n\r\n")[2])
    assert answer["message"] == answer["error"] == "more than 10,000 bytes; split it"


def test_endless_heads_are_refused(tight):
    """A head beyond the limit, in many headers or in one."""
    for line in (b"X-Header: value\r\n", b"x"):
        with socket.create_connection(tight, timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nY: 1\r\n")
            try:
                for _ in range(200):
                    connection.sendall(line * 512)
                    time.sleep(0.001)
            except OSError:
                continue
            assert connection.recv(3) in {b"", b"HTT"}


def test_other_protocols_are_refused(tight):
    """TLS, plain text and an unknown version of HTTP."""
    for content in (b"\x16\x03\x01" + bytes(200), b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        assert status(raw(tight, content)) in {0, 400}


def test_probes_of_load_balancers_are_answered(tight):
    """HEAD gets no body. HTTP/1.0 without a host is enough for health checks only."""
    head, _, body = raw(tight, b"HEAD /ping HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")

    assert (status(head), body) == (200, b"")
    assert status(raw(tight, b"GET /ping HTTP/1.0\r\n\r\n")) == 200
    assert status(raw(tight, b"GET /v2 HTTP/1.0\r\n\r\n")) == 400


def test_connections_beyond_the_limit_wait(tight):
    """They are answered once the idle ones are closed."""
    idle = [socket.create_connection(tight, timeout=20) for _ in range(64)]
    try:
        assert request(tight, "GET", "/ping")[0] == 200
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.parametrize("text", [b"[],", b"[[]],", b"0,", b"{},"])
def test_json_of_too_many_values_is_not_read(text, monkeypatch):
    """Lists without end would keep all other requests waiting while they are read."""
    monkeypatch.setattr(orjson, "loads", pytest.fail)
    body = b"[" + text * 1_000_001 + b"0]"
    with pytest.raises(RequestRefusedError, match="split the request, or send the images as bytes"):
        parse_json(body)


def test_hundreds_of_idle_connections_keep_nobody_waiting(running):
    """Each has had one response, and says nothing more."""
    idle = [socket.create_connection(running[1], timeout=20) for _ in range(700)]
    try:
        for connection in idle:
            connection.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        start = time.perf_counter()
        assert request(running[1], "GET", "/ping")[0] == 200
        assert time.perf_counter() - start < 8  # without the limit all wait for longer
    finally:
        for connection in idle:
            connection.close()


def test_requests_beyond_the_limit_get_503(tight):
    """With Retry-After. The others get a response, and health checks are answered at once."""
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(hammer, tight, [(40, REQUEST, 0), (1, get("/ping"), 0.01)], 1.5)
        time.sleep(0.5)
        responses = [request(tight, "POST", "/invocations", BODY) for _ in range(20)]
        traffic, health = load.result()

    assert {code for code, _ in traffic.seconds} == {200, 503}
    assert health.failures == traffic.dropped == []
    assert np.median(health.times(200)) < 50
    assert all(headers["retry-after"] == "1" for code, headers, _ in responses if code == 503)
    metrics = request(tight, "GET", "/metrics")[2].decode()
    shed = float(metrics.partition("\ndigits_sheds_total ")[2].split()[0])
    assert shed >= len(traffic.times(503)) > 0
