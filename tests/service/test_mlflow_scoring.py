"""Clients of `mlflow models serve` get the same answers: both servers are asked."""

import json

import numpy as np

from tests.service.conftest import request
from tests.service.scoring_server import scoring_server
from tests.service.service import served

PICTURE = np.random.default_rng(0).integers(0, 256, (28, 28)).tolist()
FLAT = [value for row in PICTURE for value in row]
BODIES = [
    {"inputs": [PICTURE]},
    {"inputs": [PICTURE, PICTURE]},
    {"instances": [PICTURE]},
    {"inputs": [[[float(v) for v in row] for row in PICTURE]]},
    {"inputs": [[[min(v, 254) + 0.5 for v in row] for row in PICTURE]]},
    {"inputs": [[["1"] * 28] * 28]},
    {"inputs": [[[True] * 28] * 28]},
    {"inputs": [PICTURE], "params": {"a": 1}},
    {"inputs": [PICTURE], "more": 1},
    {"inputs": [PICTURE], "instances": [PICTURE]},
    {"inputs": {"pictures": [PICTURE]}},
    {"instances": [{"pictures": PICTURE}]},
    {"inputs": PICTURE},
    {"inputs": [FLAT]},
    {"inputs": [[[-1] * 28] * 28]},
    {"inputs": [[[256] * 28] * 28]},
    {"inputs": [[[None] * 28] * 28]},
    {"inputs": [[[1], [1, 2]]]},
    {"inputs": []},
    {"inputs": "x"},
    {"dataframe_split": {"columns": ["pictures"], "data": [[PICTURE]]}},
    {"dataframe_split": {"data": [FLAT]}},
    {"dataframe_records": [{"pictures": PICTURE}]},
    {},
    [1],
]
KINDS = ["application/json; charset=utf-8", "application/json; charset=latin-1", "text/plain"]


def test_the_answers_are_those_of_mlflow(versions):
    """Status, shape and numbers for what clients send; health and version, too."""
    asked = [(body, "application/json") for body in BODIES] + [(BODIES[0], k) for k in KINDS]
    with scoring_server(versions) as theirs, served(versions) as (_, ours):
        for body, kind in asked:
            told = json.dumps(body)
            a, b = (
                request(address, "POST", "/invocations", told, Content_Type=kind)
                for address in (theirs, ours)
            )
            assert a[0] == b[0], told[:80]
            if a[0] == 200:
                assert a[1]["content-type"] == b[1]["content-type"]
                _same(a[2], b[2])
            elif a[0] == 400:
                assert a[2]["error_code"] in {b[2]["error_code"], "INVALID_PARAMETER_VALUE"}
                assert b[2]["message"]
        for path in ("/ping", "/health", "/version"):
            a, b = (request(address, "GET", path) for address in (theirs, ours))
            assert (a[0], a[2]) == (b[0], b[2])


def _same(a, b):
    assert a.keys() == b.keys() == {"predictions"}
    assert a["predictions"].keys() == b["predictions"].keys() == {"logits"}
    np.testing.assert_allclose(*(x["predictions"]["logits"] for x in (a, b)), rtol=1e-5, atol=1e-5)
