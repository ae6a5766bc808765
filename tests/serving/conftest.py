"""A service that runs: a process of its own for one model, or a thread with other limits."""

import contextlib
import http.client
import json
import socket
import threading

import pytest

from stages.serve import listening
from stages.serving import served, server
from stages.serving.app import create_app
from stages.serving.limits import Limits
from stages.serving.metrics import Metrics
from stages.serving.served import Holder
from tests import sealed
from tests.serving import service


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
    return served.load(project / "model", "digits", "1", {})


@pytest.fixture
def within(model, tmp_path):
    """A function: limits -> the address of a service in a thread of this process."""
    with contextlib.ExitStack() as stack:

        def start(**limits):
            holder, metrics = Holder(model), Metrics()
            told = Limits(**limits)
            app = create_app(holder, tmp_path, limits=told, metrics=metrics)
            started = threading.Event()
            bound = stack.enter_context(listening("127.0.0.1", 0))
            address = bound.getsockname()
            one = server.Server(app, holder, told, _nothing, started.set)
            thread = threading.Thread(target=one.run, args=[[bound]])
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, one, "should_exit", True)
            assert started.wait(30)
            return address

        yield start


async def _nothing():
    """No background task."""


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
