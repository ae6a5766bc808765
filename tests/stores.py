"""Fixtures for tests of stores: a checkout with a store, a tiny model, and a tracking server.

The tests of tracking and of the registry share them.
"""

import os
import shutil
import signal
import time
from contextlib import chdir

import numpy as np
import onnx.parser
import pytest

from digits.registry import registration
from digits.registry.promotion_decision import PromotionDecision
from digits.tracking import journal_folders, runs, store_uri, tracking_store
from digits.tracking.tracking_store import StoreUnavailableError
from tests import processes
from tests.conftest import free_port

NOTHING = {"resume": None, "params": {}, "inputs": {}, "code": {}}
LINEAGE = NOTHING | {"inputs": {"train.npz": "ab"}}
NOBODY = "http://127.0.0.1:1"  # nothing listens there
GRAPH = """<ir_version: 10, opset_import: ["": 18]>
linear (uint8[batch, 28, 28] pictures) => (float[batch, 10] logits)
<int64[1] first = {0}, int64[1] last = {10}, int64[1] axis = {1}, float bias = {BIAS}> {
  numbers = Cast <to = 1> (pictures)
  flat = Flatten (numbers)
  ten = Slice (flat, first, last, axis)
  logits = Add (ten, bias)
}"""
VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "DVC_EXP_NAME", "DVC_STAGE")


@pytest.fixture
def bare_project(tmp_path, monkeypatch):
    """A checkout without a store, as the working directory; no environment variable is set."""
    folder = tmp_path / "a project"  # paths may have spaces
    folder.mkdir()
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / "train.npz").write_bytes(b"images")
    monkeypatch.chdir(folder)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    store_uri.WARNED.clear()
    return folder


@pytest.fixture
def project(bare_project, empty_store):
    """A checkout whose embedded store is empty."""
    shutil.copy(empty_store, bare_project)
    return bare_project


@pytest.fixture
def make_model(tmp_path):
    """A function from a folder's name and a bias to a folder with a tiny model."""

    def make(name="model", bias=0.0):
        folder = tmp_path / name
        folder.mkdir()
        onnx.save(linear(bias), folder / "model.onnx")
        (folder / "weights.pt").write_bytes(f"weights {bias}".encode())
        (folder / "manifest.json").write_text("{}\n")
        return folder

    return make


@pytest.fixture
def trained(make_model, example):
    """A function from an accuracy to a registered version of a new model with that accuracy."""

    def train(accuracy, name="m", **params):
        folder = make_model(f"model-{accuracy}", accuracy)
        with runs.tracked_run("mlp", **LINEAGE | {"params": params}) as run:
            scores = {"validation/accuracy": accuracy, "test/accuracy": accuracy - 0.01}
            run.log_model(folder, example, scores, 1)
            run.describe("Model", f"A tiny network that is right on {accuracy:.0%}.")
        metrics = {"validation_accuracy": accuracy, "test_accuracy": accuracy - 0.01}
        return registration.register_version(
            name, folder, run_id=run.id, content_hash=f"hash {accuracy}", metrics=metrics
        )

    return train


def better(candidate, champion, _standing):
    """Promote a higher validation accuracy."""
    numbers = [v.metric("validation_accuracy") for v in (candidate, champion) if v]
    if champion is None or numbers[0] > numbers[1]:
        return PromotionDecision("champion", "enforce", "passed", "it is better")
    return PromotionDecision("challenger", "enforce", "failed", "it is not better")


def register_later(name, folder, run_id, content="x"):
    """Fail to register, as in an outage, and postpone the registration."""
    arguments = {"name": name, "content_hash": content, "metrics": {}}
    with pytest.raises(StoreUnavailableError):
        registration.register_version(folder=folder, run_id=run_id, **arguments)
    journal_folders.postpone_registration(run_id, folder, **arguments)


def linear(bias):
    """A graph from images (batch, 28, 28) of uint8 to logits (batch, 10) of float32."""
    return onnx.parser.parse_model(GRAPH.replace("BIAS", str(float(bias))))


@pytest.fixture
def example():
    """A batch of two images."""
    return np.zeros((2, 28, 28), np.uint8)


@pytest.fixture
def client():
    """A client of the embedded store."""
    return tracking_store.embedded_store().client


class Server:
    """The real server that `digits ui` starts in a folder; it can be killed and started again."""

    def __init__(self, folder, database_file):
        self.folder = folder
        (folder / "dvc.yaml").touch()
        shutil.copy(database_file, folder)
        self.uri = f"http://127.0.0.1:{free_port()}"
        self.process, self.impatience = None, pytest.MonkeyPatch()

    def start(self):
        """Start the server unless it runs, and wait until it answers."""
        if self.process is None:
            port = self.uri.rpartition(":")[2]
            with chdir(self.folder):
                self.process = processes.Process("digits", "ui", "--port", port)
        deadline = time.monotonic() + 120
        while store_uri.connection_problem(self.uri) is not None:
            assert self.process.returncode is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def kill(self):
        """End the server and its worker as `kill -9` does."""
        self.impatience.undo()
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()
            self.process = None

    def pause(self):
        """Let the server hang: it accepts connections and answers none; clients wait a second."""
        self.impatience.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        self.impatience.setattr(store_uri, "TIMEOUT_SECONDS", 1.0)
        os.killpg(self.process.pid, signal.SIGSTOP)

    def proceed(self):
        """Let the server continue after `pause`."""
        self.impatience.undo()
        os.killpg(self.process.pid, signal.SIGCONT)
        self.start()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory, empty_store):
    """One server for all tests of a file, because its start takes seconds."""
    server = Server(tmp_path_factory.mktemp("server"), empty_store)
    yield server
    server.kill()


@pytest.fixture
def server(project, shared_server, monkeypatch):
    """A running server, configured for this project; experiment and model are of the test alone."""
    shared_server.start()
    shared_server.name = f"test-{time.time_ns()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared_server.uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", shared_server.name)
    return shared_server


@pytest.fixture
def team(project, empty_store, monkeypatch):
    """A store that is configured for this project instead of the embedded one; it is a file."""
    shutil.copy(empty_store, project / "team.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/team.db")
    return tracking_store.current_store()


@pytest.fixture
def nobody(project, monkeypatch):
    """An address with a password at which nothing listens, configured for this project."""
    uri = f"http://anna:s3cret@127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


@pytest.fixture
def python():
    """A function from a program's text to a process that runs it."""
    running = []

    def run(text, *arguments):
        running.append(processes.Process(text, *arguments))
        return running[-1]

    yield run
    for process in running:
        process.kill()
