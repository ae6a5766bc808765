"""The store that the environment names, whether it answers, and messages without secrets."""

import contextlib
import shutil
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digits.project.errors import UserError
from digits.tracking import store_uri, tracking_store

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


@pytest.mark.parametrize("name", ["a?b", "a%25b"])
def test_a_folder_that_mlflow_would_take_for_another_is_refused(bare_project, monkeypatch, name):
    """Before a database is made in a folder beside it."""
    (folder := bare_project / name).mkdir()
    (folder / "dvc.yaml").touch()
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=r"has a [?%], which MLflow's addresses cannot hold"):
        store_uri.embedded_uri()


@pytest.mark.parametrize("name", ["mü", "日本", "a'b", 'a"b', "a#b;{@[*$=,~+"])
def test_a_store_works_in_a_folder_of_any_other_name(bare_project, monkeypatch, name, empty_store):
    """An artifact is written and read, and nothing is made beside the folder."""
    (folder := bare_project / name).mkdir()
    (folder / "dvc.yaml").touch()
    shutil.copy(empty_store, folder)
    monkeypatch.chdir(folder)
    before = sorted(bare_project.iterdir())
    store = tracking_store.current_store()
    run = store.client.create_run(store.experiment).info.run_id
    store.client.log_text(run, "hello", "sub/file.txt")
    path = store.client.download_artifacts(run, "sub/file.txt")
    assert Path(path).read_text() == "hello"
    assert sorted(bare_project.iterdir()) == before


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


@pytest.mark.parametrize(("status", "words"), [(502, "status 502"), (404, "path"), (401, "None")])
def test_a_status_tells_whether_a_server_works_there(status, words):
    """Status 502 or 404 means that no server works there; 401 means that one does."""
    with answering(status) as uri:
        assert words in str(store_uri.connection_problem(uri))


@pytest.mark.parametrize(
    ("status", "words"), [(401, "check MLFLOW_TRACKING_USERNAME"), (403, "ask its administrator")]
)
def test_a_refusal_is_explained(bare_project, status, words):
    """By what it means and by the variables to check, not by the exception of a library."""
    with answering(status) as uri:
        store = tracking_store.TrackingStore(uri, embedded=False)
        with pytest.raises(tracking_store.StoreUnavailableError, match=words):  # noqa: SIM117
            with tracking_store.translate_errors(store):
                store.client.get_run("0" * 32)


def test_a_certificate_that_is_not_accepted_is_explained(bare_project, https):
    """With the variable that names the file of its authority."""
    store = tracking_store.TrackingStore(https, embedded=False)
    with pytest.raises(tracking_store.StoreUnavailableError, match="_SERVER_CERT_PATH names"):  # noqa: SIM117
        with tracking_store.translate_errors(store):
            store.client.get_run("0" * 32)


@pytest.fixture
def https(tmp_path):
    """The address of a server whose certificate it has signed itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    begin, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, end)
    pem = tmp_path / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(certificate.sign(key, SHA256()).public_bytes(Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def answering(status):
    """The address of a server that answers one request with `status`."""

    def answer():
        connection, _ = listener.accept()
        listener.close()  # nobody waits for a second answer
        with connection:
            connection.recv(4096)
            head = f"HTTP/1.1 {status} Words\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode())

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(answer)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
