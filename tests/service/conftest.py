"""Fixtures: a running service, with its usual limits or with tight ones."""

import contextlib
import http.client
import json
import shutil
import socket

import pytest

from digits.service import served_model
from tests.service import service

LIMITS = {"head": 8192, "head_seconds": 1, "body": 10_000, "body_seconds": 1}
LIMITS |= {"connections": 64, "waiting": 4, "shed_seconds": 0.05}
TIGHT = f"""from functools import partial
from digits.service import processes
processes.AdmissionLimits = partial(processes.AdmissionLimits, **{LIMITS})"""


@pytest.fixture(scope="package")
def project(filled, tmp_path_factory):
    """A folder with a model of random weights: version 2 of `filled`."""
    folder = tmp_path_factory.mktemp("serving")
    (folder / "dvc.yaml").touch()
    shutil.copytree(filled / "model-2", folder / "model")
    return folder


@pytest.fixture(scope="package")
def running(project):
    """The process and the address of `digits serve` for that model; it logs to `project/log`."""
    with (
        (project / "log").open("w") as log,
        service.served(project, "--model", "model", log=log) as server,
    ):
        yield server


@pytest.fixture
def ask(running):
    """A function that sends a request to the running service; see `request`."""
    return lambda *arguments, **headers: request(running[1], *arguments, **headers)


def request(address, method, path, body=None, **headers):
    """Send one request; return status, headers and body, a JSON object decoded.

    In the names of headers, _ stands for -.
    """
    connection = http.client.HTTPConnection(*address, timeout=60)
    with contextlib.closing(connection):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        content = response.read()
        kind = response.headers.get("content-type", "")
        if kind == "application/json" and content.startswith(b"{"):
            content = json.loads(content)
        return response.status, response.headers, content


@pytest.fixture(scope="package")
def model(project):
    """The model, loaded in this process."""
    return served_model.load_served_model(project / "model", "digits", "1", "digits-1", {})


@pytest.fixture(scope="package")
def tight(project):
    """The address of a service with tight limits."""
    with service.served(project, "--model", "model", change=TIGHT) as (_, address):
        yield address


def raw(address, content, *, seconds=30):
    """Send bytes; return the bytes received until the connection closes, b"" after a reset."""
    with socket.create_connection(address, timeout=seconds) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(content)
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                received += piece
        return received
