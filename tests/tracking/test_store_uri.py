"""Which store the environment asks for, and what may be said about it."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from digits.project.errors import UserError
from digits.tracking import store_uri

SECRETS = [
    ("http://anna:s3cret@host:1/path", "s3cret"),
    ("postgresql+psycopg://anna:s3/cr@et@host/name", "s3/cr@et"),
    ("https://host/path?token=s3cret", "token=s3cret"),
]


def test_nothing_configured_is_the_embedded_store(bare_project):
    """Without MLFLOW_TRACKING_URI, runs go to mlflow.db at the checkout's root."""
    assert store_uri.configured_uri() is None
    assert store_uri.embedded_uri() == f"sqlite:///{bare_project}/mlflow.db"


def test_relative_sqlite_counts_from_the_root(bare_project, monkeypatch):
    """A relative sqlite path means the same from each folder of the checkout."""
    (bare_project / "sub").mkdir()
    monkeypatch.chdir(bare_project / "sub")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    assert store_uri.configured_uri() == f"sqlite:///{bare_project}/other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert store_uri.configured_uri() is None


@pytest.mark.parametrize("value", ["ftp://x", "mlruns", "http://", "sqlite://", "file:///s3cret"])
def test_a_wrong_address_is_a_sentence(bare_project, monkeypatch, value):
    """An address of no known kind is refused with the kinds there are."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", value)
    with pytest.raises(UserError, match=r"^MLFLOW_TRACKING_URI is .*expected .*correct or unset"):
        store_uri.configured_uri()


@pytest.mark.parametrize(("uri", "secret"), SECRETS)
def test_secrets_are_never_shown(bare_project, monkeypatch, uri, secret):
    """Passwords and tokens vanish from addresses and from sentences around them."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    text = store_uri.redact(f"cannot reach {uri} with t0ken")
    assert secret not in text
    assert "t0ken" not in text
    assert "//host" in text
    if "@" in uri:
        assert secret not in store_uri.redact(f"password {secret} is wrong")


@pytest.mark.parametrize("kind", ["http", "postgresql"])
def test_a_server_that_says_nothing_costs_seconds(kind):
    """A server that accepts and stays silent, or is not there, is given up within 4 s."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        started = time.monotonic()
        silence = store_uri.connection_problem(f"{kind}://127.0.0.1:{port}/x")
        assert time.monotonic() - started < 4
    assert "nothing answers" in store_uri.connection_problem(f"{kind}://127.0.0.1:{port}/x")
    assert (silence is None) == (kind == "postgresql")  # there, a connection is all we ask for


@pytest.mark.parametrize(("status", "words"), [(502, "status 502"), (401, "None")])
def test_a_broken_proxy_is_trouble_and_a_closed_door_is_not(status, words):
    """Status 502 means that no server works there; 401 means that one does."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(_answer, listener, status)
        found = store_uri.connection_problem(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert words in str(found)


def _answer(listener, status):
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        head = f"HTTP/1.1 {status} Words\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
