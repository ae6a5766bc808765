"""A service that runs, with its usual limits or with tight ones."""

import contextlib
import http.client
import json
import socket

import pytest

from digits.service import served_model
from tests import sealed
from tests.service import service


@pytest.fixture(scope="package")
def project(tmp_path_factory):
    """A folder with a model of random weights."""
    folder = tmp_path_factory.mktemp("serving")
    (folder / "dvc.yaml").touch()
    sealed.seal(folder / "model")
    return folder


@pytest.fixture(scope="package")
def log(project):
    """The file that the service logs into."""
    return project / "log"


@pytest.fixture(scope="package")
def running(project, log):
    """The process and the address of `digits serve` for that model."""
    with log.open("w") as file, service.served(project, "--model", "model", log=file) as found:
        yield found


@pytest.fixture
def ask(running):
    """A function: method, path, body, headers -> status, headers, body; JSON decoded."""

    def asked(method, path, body=None, **headers):
        return request(running[1], method, path, body, **headers)

    return asked


def request(address, method, path, body=None, **headers):
    """One request; JSON objects are decoded; _ in names of headers is -."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    with contextlib.closing(connection):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        content = answer.read()
        kind = answer.headers.get("content-type", "")
        if kind == "application/json" and content.startswith(b"{"):
            content = json.loads(content)
        return answer.status, answer.headers, content


@pytest.fixture(scope="package")
def model(project):
    """The model, loaded in this process."""
    return served_model.load_served_model(project / "model", "digits", "1", {})


@pytest.fixture(scope="package")
def tight(project):
    """The address of a service that takes little on."""
    limits = {"head": 8192, "head_seconds": 1, "body": 10_000, "body_seconds": 1}
    limits |= {"connections": 64, "waiting": 4, "shed_seconds": 0.05}
    with service.served(project, limits=limits) as (_, address):
        yield address


def raw(address, content, *, seconds=30):
    """What comes back for these bytes until the connection is closed; b"" for a reset."""
    with socket.create_connection(address, timeout=seconds) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(content)
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                received += piece
        return received
