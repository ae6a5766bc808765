"""Whoever sends too slowly, too much or too often gets a 4xx, a 503 or is cut."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.cli.test_predict import png_header
from tests.service.conftest import raw, request
from tests.service.load import get, hammer, post

BODY = json.dumps({"inputs": [[[0] * 28] * 28]}).encode()
ONE = post("/invocations", BODY)


def status(answer):
    """The status of a raw answer; 0 for none."""
    return int(answer[9:12]) if answer else 0


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /invocations HTTP/1.1\r\nHost: localhost\r\n",
        ONE[: len(ONE) // 2],
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
        get("/ping"),
    ],
)
def test_who_stops_sending_is_cut(tight, begun):
    """Nothing, half a head, half a body, nothing more: the connection is closed in time."""
    start = time.monotonic()
    answer = raw(tight, begun)

    assert status(answer) in ({200} if begun.startswith(b"GET") else {0, 408})
    assert time.monotonic() - start < 20


def test_who_sends_drop_by_drop_is_cut(tight):
    """A byte now and then does not keep a connection."""
    for sent in (b"POST / HTTP/1.1\r\nHost: localhost\r\nX: ", ONE[:-50]):
        with socket.create_connection(tight, timeout=20) as connection:
            connection.sendall(sent)
            assert cut(connection, b"x", 0.05)


def cut(connection, piece, pause):
    """Whether the other end closes the connection while this one sends a piece now and then."""
    until = time.monotonic() + 60
    try:
        while time.monotonic() < until:
            connection.sendall(piece)
            time.sleep(pause)
    except ConnectionError:
        return True
    return False


def test_large_bodies_are_refused_before_they_are_read(tight):
    """By the length that they say, or as soon as they are longer than allowed."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
    said = raw(tight, head + b"Content-Length: 10001\r\n\r\n")
    chunk = b"1000\r\n" + bytes(4096) + b"\r\n"
    grown = raw(tight, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3)

    assert [status(said), status(grown)] == [413, 413]
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"] == "more than 10,000 bytes"


def test_heads_without_end_are_refused(tight):
    """A head of more than the limit, in many headers or in one."""
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


def test_what_is_no_http_is_refused(tight):
    """Garbage, other protocols, unknown versions."""
    for sent in (b"\x16\x03\x01" + bytes(200), b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        assert status(raw(tight, sent)) in {0, 400}


def test_probes_of_load_balancers_are_answered(tight):
    """HEAD and HTTP/1.0 without a host: a head and no body; for the rest the host is needed."""
    head, _, body = raw(tight, b"HEAD /ping HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")

    assert (status(head), body) == (200, b"")
    assert status(raw(tight, b"GET /ping HTTP/1.0\r\n\r\n")) == 200
    assert status(raw(tight, b"GET /v2 HTTP/1.0\r\n\r\n")) == 400


def test_more_connections_than_allowed_wait(tight):
    """Until those that send nothing are closed."""
    kept = [socket.create_connection(tight, timeout=20) for _ in range(64)]
    try:
        assert request(tight, "GET", "/ping")[0] == 200
    finally:
        for connection in kept:
            connection.close()


def test_more_work_than_allowed_is_told_to_come_back(tight):
    """503 with Retry-After for what is too much; the rest is answered, and health at once."""
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(hammer, tight, [(40, ONE, 0), (1, get("/ping"), 0.01)], 1.5)
        time.sleep(0.5)
        answers = [request(tight, "POST", "/invocations", BODY) for _ in range(20)]
        seen, health = load.result()

    assert {code for code, _ in seen.seconds} == {200, 503}
    assert {code for code, _ in health.seconds} == {200}
    assert np.median(health.times(200)) < 50
    assert seen.dropped == health.dropped == []
    shed = [headers for code, headers, _ in answers if code == 503]
    assert all(headers["retry-after"] == "1" for headers in shed)
    told = request(tight, "GET", "/metrics")[2].decode()
    assert float(told.partition("\ndigits_sheds_total ")[2].split()[0]) >= len(seen.times(503)) > 0


@pytest.mark.parametrize("size", [(10_000, 2_401), (2**31 - 1, 2**31 - 1), (100_000, 1_000)])
def test_pictures_with_too_many_pixels_are_refused(ask, size):
    """By their head, before anything is decoded."""
    code, _, answer = ask("POST", "/predict", png_header(*size))

    assert code == 400
    assert "pixels" in answer["error"]
