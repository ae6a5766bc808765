"""Whoever sends too slowly, too much or too often gets a 4xx, a 503 or is cut."""

import json
import socket
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.serving.conftest import raw, request
from tests.serving.load import get, hammer, post

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
    ],
)
def test_who_stops_sending_is_cut(within, begun):
    """Nothing, half a head, half a body: the connection is closed in time."""
    address = within(head_seconds=0.3, request_seconds=0.6, idle_seconds=1)
    start = time.monotonic()
    answer = raw(address, begun)

    assert status(answer) in ({200} if begun.startswith(b"GET") else {0})
    assert 0.2 < time.monotonic() - start < 20


def test_who_sends_drop_by_drop_is_cut(within):
    """A byte now and then does not keep a connection."""
    address = within(head_seconds=0.5, request_seconds=0.5)
    for sent in (b"POST / HTTP/1.1\r\nHost: localhost\r\nX: ", ONE[:-50]):
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(sent)
            assert cut(connection, b"x", 0.05)


def test_who_does_not_read_is_cut(within):
    """Answers that nobody takes are not kept for ever."""
    address = within(request_seconds=0.5, idle_seconds=0.5)
    with socket.create_connection(address, timeout=20) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert cut(connection, get("/openapi.json") * 10, 0.01)
    assert request(address, "GET", "/ping")[0] == 200


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


def test_large_bodies_are_refused_before_they_are_read(within):
    """By the length that they say, or as soon as they are longer than allowed."""
    address = within(body=10_000)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
    said = raw(address, head + b"Content-Length: 10001\r\n\r\n")
    chunk = b"1000\r\n" + bytes(4096) + b"\r\n"
    grown = raw(address, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3)

    assert [status(said), status(grown)] == [413, 413]
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"] == "more than 10,000 bytes"


def test_heads_without_end_are_refused(within):
    """A head of more than the limit, in many headers or in one."""
    address = within(head=4096)
    for line in (b"X-Header: value\r\n", b"x"):
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nY: 1\r\n")
            try:
                for _ in range(200):
                    connection.sendall(line * 512)
                    time.sleep(0.001)
            except OSError:
                continue
            assert connection.recv(3) in {b"", b"HTT"}


def test_what_is_no_http_gets_a_sentence(within):
    """Garbage, other protocols, unknown versions."""
    address = within()
    for sent in (b"\x16\x03\x01" + bytes(200), b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        answer = raw(address, sent)
        assert status(answer) == 400
        assert "error" in json.loads(answer.partition(b"\r\n\r\n")[2])


def test_a_request_without_a_host_is_refused(within):
    """HTTP/1.0 and sloppy clients get 400."""
    assert status(raw(within(), b"GET /ping HTTP/1.0\r\n\r\n")) == 400


def test_more_connections_than_allowed_are_closed(within):
    """The first ones still answer; one that leaves makes room."""
    address = within(connections=20)
    kept = [socket.create_connection(address, timeout=20) for _ in range(20)]
    try:
        kept[0].sendall(get("/ping"))
        assert kept[0].recv(12) == b"HTTP/1.1 200"
        assert raw(address, get("/ping")) == b""
    finally:
        for connection in kept:
            connection.close()
    time.sleep(0.2)
    assert request(address, "GET", "/ping")[0] == 200


def test_more_work_than_allowed_is_told_to_come_back(within):
    """503 with Retry-After for what is too much; the rest is answered, and so is health."""
    address = within(waiting=4, shed_seconds=0.05)
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(hammer, address, [(40, ONE, 0)], 1.5)
        time.sleep(0.5)
        health = [request(address, "GET", "/ping")[0] for _ in range(10)]
        answers = [request(address, "POST", "/invocations", BODY) for _ in range(20)]
        (seen,) = load.result()

    assert health == [200] * 10
    assert {code for code, _ in seen.seconds} == {200, 503}
    assert seen.dropped == []
    shed = [headers for code, headers, _ in answers if code == 503]
    assert all(headers["retry-after"] == "1" for headers in shed)
    told = request(address, "GET", "/metrics")[2].decode()
    assert float(told.partition("\ndigits_sheds_total ")[2].split()[0]) >= len(seen.times(503)) > 0


def bomb(width, height):
    """A small PNG that says that it is so large, with a real line of it."""

    def chunk(kind, data):
        told = kind + data
        return struct.pack(">I", len(data)) + told + struct.pack(">I", zlib.crc32(told))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_000, 2_401), (2**31 - 1, 2**31 - 1), (100_000, 1_000)])
def test_pictures_with_too_many_pixels_are_refused(ask, size):
    """By their head, before anything is decoded."""
    code, _, answer = ask("POST", "/predict", bomb(*size))

    assert code == 400
    assert "pixels" in answer["error"]


def test_idle_connections_end(within):
    """A connection that is done with is closed after a while."""
    address = within(idle_seconds=0.3)

    assert raw(address, get("/ping")).startswith(b"HTTP/1.1 200")
