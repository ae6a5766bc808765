"""Responses are those of MLflow's own scoring server: both get the same requests."""

import json
import threading

import mlflow
import numpy as np
import pytest
import uvicorn
from mlflow.pyfunc import scoring_server

from tests.service.conftest import request
from tests.service.test_registry_watcher import eventually

IMAGE = np.random.default_rng(0).integers(0, 256, (28, 28)).tolist()
FLAT = [value for row in IMAGE for value in row]
BODIES = [
    {"inputs": [IMAGE]},
    {"inputs": [IMAGE, IMAGE]},
    {"instances": [IMAGE]},
    {"inputs": [[[float(v) for v in row] for row in IMAGE]]},
    {"inputs": [[[min(v, 254) + 0.5 for v in row] for row in IMAGE]]},
    {"inputs": [[["1"] * 28] * 28]},
    {"inputs": [[[True] * 28] * 28]},
    {"inputs": [IMAGE], "params": {"a": 1}},
    {"inputs": [IMAGE], "more": 1},
    {"inputs": [IMAGE], "instances": [IMAGE]},
    {"inputs": {"pictures": [IMAGE]}},
    {"inputs": {"images": [IMAGE]}},
    {"instances": [{"pictures": IMAGE}]},
    {"inputs": IMAGE},
    {"inputs": [FLAT]},
    {"inputs": [[[-1] * 28] * 28]},
    {"inputs": [[[256] * 28] * 28]},
    {"inputs": [[[None] * 28] * 28]},
    {"inputs": [[[1], [1, 2]]]},
    {"inputs": []},
    {"inputs": "x"},
    {"dataframe_split": {"columns": ["pictures"], "data": [[IMAGE]]}},
    {"dataframe_split": {"data": [FLAT]}},
    {"dataframe_records": [{"pictures": IMAGE}]},
    {},
    [1],
]
KINDS = ["application/json; charset=utf-8", "application/json; charset=latin-1", "text/plain"]


@pytest.fixture
def mlflow_address(versions, monkeypatch):
    """The address of MLflow's server for the champion, which is version 2, in a thread."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{versions / 'mlflow.db'}")
    application = scoring_server.init(mlflow.pyfunc.load_model("models:/digits@champion"))
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    assert eventually(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join()


def test_responses_are_those_of_mlflow(mlflow_address, running):
    """Statuses, shapes and numbers are the same; health and version, too."""
    servers = mlflow_address, running[1]
    cases = [(body, "application/json") for body in BODIES] + [(BODIES[0], k) for k in KINDS]
    for body, kind in cases:
        sent = ("POST", "/invocations", json.dumps(body))
        a, b = (request(address, *sent, Content_Type=kind) for address in servers)
        assert a[0] == b[0], sent[2][:80]
        if a[0] == 200:
            assert a[1]["content-type"] == b[1]["content-type"]
            assert_close(a[2], b[2])
        elif a[0] == 400:
            assert a[2]["error_code"] in {b[2]["error_code"], "INVALID_PARAMETER_VALUE"}
            assert b[2]["message"]
    for path in ("/ping", "/health", "/version"):
        a, b = (request(address, "GET", path) for address in servers)
        assert (a[0], a[2]) == (b[0], b[2])


def assert_close(a, b):
    """Fail unless two responses have the same fields and almost the same logits."""
    assert a.keys() == b.keys() == {"predictions"}
    assert a["predictions"].keys() == b["predictions"].keys() == {"logits"}
    np.testing.assert_allclose(*(x["predictions"]["logits"] for x in (a, b)), rtol=1e-5, atol=1e-5)
