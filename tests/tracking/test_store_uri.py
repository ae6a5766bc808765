"""The store that the environment names, whether it answers, and messages without secrets."""

import contextlib
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


@pytest.mark.parametrize(("file", "other"), [("", 0), ("mlflow.db", 0), ("other.db", 1)])
def test_sqlite_paths_count_from_the_root(bare_project, monkeypatch, file, other):
    """In each folder of the checkout; mlflow.db at its root is the embedded store, the default."""
    (bare_project / "sub").mkdir()
    monkeypatch.chdir(bare_project / "sub")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", file and f"sqlite:///{file}")
    assert store_uri.configured_uri() == (f"sqlite:///{bare_project}/{file}" if other else None)
    assert store_uri.embedded_uri() == f"sqlite:///{bare_project}/mlflow.db"


@pytest.mark.parametrize("value", ["ftp://x", "mlruns", "http://", "sqlite://", "file:///s3cret"])
def test_an_address_of_no_known_kind_is_refused(bare_project, monkeypatch, value):
    """The message has the address, the known kinds and the next step."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", value)
    with pytest.raises(UserError, match=r"^MLFLOW_TRACKING_URI is .*expected .*correct or unset"):
        store_uri.configured_uri()


@pytest.mark.parametrize(("uri", "secret"), SECRETS)
def test_messages_have_no_secrets(bare_project, monkeypatch, uri, secret):
    """Passwords and tokens are removed from addresses and from the text around them."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    text = store_uri.redact(f"cannot reach {uri} with t0ken")
    assert [part in text for part in (secret, "t0ken", "//host")] == [False, False, True]
    if "@" in uri:
        assert secret not in store_uri.redact(f"password {secret} is wrong")


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_silent_server_costs_seconds(scheme):
    """Within 4 s a server that accepts and stays silent, or does not exist, is given up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/x"
        started = time.monotonic()
        problem = store_uri.connection_problem(uri)
        assert time.monotonic() - started < 4
    assert "nothing answers" in store_uri.connection_problem(uri)
    assert (problem is None) == (scheme == "postgresql")  # of a database, only a connection counts


@pytest.mark.parametrize(("status", "words"), [(502, "status 502"), (401, "None")])
def test_only_a_status_of_500_or_more_is_a_problem(status, words):
    """Status 502 means that no server works there; 401 means that one does."""
    with answering(status) as uri:
        assert words in str(store_uri.connection_problem(uri))


@contextlib.contextmanager
def answering(status):
    """The address of a server that answers one request with `status`."""

    def answer():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            head = f"HTTP/1.1 {status} Words\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode())

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(answer)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
