"""What the service answers, over real connections to a real process."""

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import jsonschema_rs
import numpy as np
import pytest
from PIL import Image

from digits.inference import classifier
from tests.conftest import call
from tests.drawing import written
from tests.service.conftest import request
from tests.service.service import served, workers

JSON = {"Content_Type": "application/json"}


def tensor(n=2):
    """Pictures for the network."""
    return np.random.default_rng(n).integers(0, 256, (n, 28, 28), dtype=np.uint8)


def given(pictures, **how):
    """An input of the Open Inference Protocol."""
    return {"name": "pictures", "shape": list(pictures.shape), "datatype": "UINT8", **how}


def expected(project, pictures):
    """The logits of the model itself."""
    return classifier.load(project / "model").logits(pictures)


def same(logits, others):
    """Fail where they are not the same up to the last bits."""
    np.testing.assert_allclose(np.float32(logits), others, rtol=1e-4, atol=1e-5)


def test_a_picture_gets_what_digits_predict_prints(project, ask):
    """Raw bytes and base64 in JSON: the fields of `predict --json`, model and request id."""
    picture = written("3407")
    (project / "page.png").write_bytes(picture)
    options = ["--model", "./model", "--top", "3", "--json"]
    printed = call(project, sys.executable, "-m", "digits.cli", "predict", "page.png", *options)
    (record,) = json.loads(printed.stdout)
    del record["file"]

    raw = ask("POST", "/predict?top=3&pictures=true", picture, X_Request_Id="mine-1")
    body = {"picture": base64.b64encode(picture).decode(), "top": 3, "pictures": True}
    told = ask("POST", "/predict", json.dumps(body), **JSON)

    for status, headers, answer in (raw, told):
        assert status == 200
        assert {key: answer[key] for key in record} == record
        assert headers["x-model"] == "model/local"
        assert headers["x-model-sha256"] == answer["model"]["sha256"]
        assert headers["x-request-id"] == answer["request_id"]
        seen = [Image.open(io.BytesIO(base64.b64decode(one))) for one in answer["pictures"]]
        assert [one.size for one in seen] == [(28, 28)] * len(record["boxes"])
    assert raw[2]["request_id"] == "mine-1"


@pytest.mark.parametrize(("query", "n"), [("", 4), ("?several=true", 4), ("?several=false", 1)])
def test_one_digit_is_one_when_asked_for_one(ask, query, n):
    """`several=false` finds one digit where there are four; true and none find four."""
    assert len(ask("POST", f"/predict{query}", written("3407"))[2]["boxes"]) == n


@pytest.mark.parametrize("width", [1, 2])
def test_a_long_hairline_is_no_error(ask, width):
    """Found by damaged pictures: less than a pixel was left of it where shadows are looked for."""
    pixels = np.full((1000, 1000), 255, np.uint8)
    pixels[20:920, 100 : 100 + width] = 0
    status, _, answer = ask("POST", "/predict", cv2.imencode(".png", pixels)[1].tobytes())

    assert status == 200
    assert len(answer["boxes"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "words"),
    [
        ("/predict", b"", "image/png", 400, "an empty file"),
        ("/predict", b"GIF89a", "image/png", 400, "a damaged GIF picture"),
        ("/predict", b"hello", "text/plain", 400, "no picture; PNG, JPEG"),
        ("/predict?top=11", written("1"), "image/png", 400, "top: Input should be"),
        ("/predict", b'{"picture": "", "top": "3"}', "application/json", 400, "top: Input should"),
        ("/predict?several=maybe", written("1"), "image/png", 400, "several: Input should be"),
        ("/predict?top=1&top=2", written("1"), "image/png", 400, "given twice"),
        ("/predict?colour=1", written("1"), "image/png", 400, "colour: Extra inputs"),
        ("/predict", b"{}", "application/json", 400, "picture: Field required"),
        ("/predict", b'{"picture": 5}', "application/json", 400, "picture: Input should be"),
        ("/predict", b"[" * 99999, "application/json", 400, "the body: Invalid JSON"),
        ("/predict", b"x", "multipart/form-data; boundary=x", 415, "no forms"),
        ("/invocations", b'{"inputs": NaN}', "application/json", 400, "the body is no JSON"),
        ("/invocations", b'{"inputs": []}', "application/json", 400, "expected 1 to 1,000"),
        ("/invocations", b'{"inputs": 9000000000}', "application/json", 400, "28 x 28 numbers"),
        ("/invocations", b"{}", "text/csv", 415, "application/json"),
        ("/v2/models/model/infer", b"5", "application/json", 400, "the body: Input should be"),
        ("/v2/models/other/infer", b"{}", "application/json", 404, "this serves model"),
        ("/nowhere", b"", "text/plain", 404, "Not Found"),
        ("/docs", b"", "text/plain", 405, "Method Not Allowed"),
    ],
)
def test_what_cannot_be_answered_gets_one_sentence(ask, path, body, kind, status, words):
    """A 4xx with the sentence and the request's id."""
    found, headers, answer = ask("POST", path, body, Content_Type=kind)

    assert found == status
    assert words in answer["error"]
    assert "\n" not in answer["error"]
    assert answer["request_id"] == headers["x-request-id"]


@pytest.mark.parametrize(
    ("form", "n", "more"), [("inputs", 2, 0), ("instances", 2, 0.5), ("inputs", 300, 0)]
)
def test_invocations_answer_logits(ask, project, form, n, more):
    """Integers, floats cut off like MLflow does, more than a batch or than is parsed at once."""
    body = json.dumps({form: (tensor(n) + more).tolist()})
    status, _, answer = ask("POST", "/invocations", body, **JSON)

    assert (status, list(answer)) == (200, ["predictions"])
    same(answer["predictions"]["logits"], expected(project, tensor(n)))


def test_open_inference_describes_the_model(ask):
    """Server, health, and the tensors of the model by name and by version."""
    assert ask("GET", "/v2")[2]["extensions"] == ["binary_tensor_data"]
    assert ask("GET", "/v2/health/live")[2] == {"live": True}
    assert ask("GET", "/v2/health/ready")[2] == {"ready": True}
    assert ask("GET", "/v2/models/model/ready")[0] == 200
    assert ask("GET", "/v2/models/model/versions/7")[0] == 404
    told = ask("GET", "/v2/models/model/versions/local")[2]

    assert told["inputs"] == [{"name": "pictures", "datatype": "UINT8", "shape": [-1, 28, 28]}]
    assert [o["name"] for o in told["outputs"]] == ["logits", "probabilities"]


@pytest.mark.parametrize("flat", [True, False])
def test_open_inference_in_json(ask, project, flat):
    """Flat or nested data; both outputs, and the request's own id."""
    pictures = tensor()
    data = (pictures.ravel() if flat else pictures).tolist()
    outputs = [{"name": "logits"}, {"name": "probabilities"}]
    body = json.dumps({"id": "7", "inputs": [given(pictures, data=data)], "outputs": outputs})
    status, _, answer = ask("POST", "/v2/models/model/infer", body, **JSON)

    assert (status, answer["id"], answer["model_version"]) == (200, "7", "local")
    logits, likely = (np.float32(o["data"]).reshape(o["shape"]) for o in answer["outputs"])
    same(logits, expected(project, pictures))
    np.testing.assert_allclose(likely.sum(1), 1, rtol=1e-5)


def test_open_inference_in_bytes(ask, project):
    """The binary extension, as Triton's clients use it by default."""
    pictures = tensor()
    sized = given(pictures, parameters={"binary_data_size": pictures.nbytes})
    asked = {"name": "logits", "parameters": {"binary_data": True}}
    head = json.dumps({"inputs": [sized], "outputs": [asked]}).encode()
    status, headers, content = ask(
        "POST",
        "/v2/models/model/versions/local/infer",
        head + pictures.tobytes(),
        Inference_Header_Content_Length=str(len(head)),
    )

    assert status == 200
    length = int(headers["inference-header-content-length"])
    (output,) = json.loads(content[:length])["outputs"]
    logits = np.frombuffer(content[length:], "<f4").reshape(output["shape"])
    same(logits, expected(project, pictures))


def test_numbers_and_log_tell_what_happened(ask, log):
    """Requests by route and status, digits, an empty page; a line of JSON for each request."""
    empty = cv2.imencode(".png", np.full((90, 90), 255, np.uint8))[1].tobytes()
    assert ask("POST", "/predict", written("12"), X_Request_Id="told")[0] == 200
    assert ask("POST", "/predict", empty)[2]["status"] == "no digit"
    told = ask("GET", "/metrics")[2].decode()

    assert re.search(r'digits_requests_total{route="/predict",status="200"} [1-9]', told)
    assert re.search(r'digits_rejects_total{reason="no digit"} [1-9]', told)
    assert re.search(r'digits_confidence_count{version="local"} [1-9]', told)
    assert re.search(r"digits_predictions_total{digit=", told)
    assert re.search(r'digits_model{name="model",sha256="\w{64}",version="local"} 1.0', told)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (line,) = (one for one in lines if one.get("request_id") == "told")
    assert line["time"].endswith("+00:00")
    assert (line["route"], line["status"], line["model"]) == ("/predict", 200, "model/local")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {"picture": base64.b64encode(written("3407")).decode(), "top": 2}),
        ("/invocations", {"instances": tensor().tolist()}),
        ("/v2/models/{name}/infer", {"inputs": [given(tensor(), data=tensor().tolist())]}),
    ],
)
def test_requests_and_answers_are_as_described(ask, path, body):
    """What OpenAPI tells of a body, of the answer and of a refusal holds for real ones."""
    told = ask("GET", "/openapi.json")[2]
    route = told["paths"][path]["post"]
    answer, refusal = (
        ask("POST", path.replace("{name}", "model"), json.dumps(sent), **JSON)[2]
        for sent in (body, [])
    )

    for part, value in (
        (route["requestBody"], body),
        (route["responses"]["200"], answer),
        (route["responses"]["default"], refusal),
    ):
        schema = part["content"]["application/json"]["schema"] | {"components": told["components"]}
        jsonschema_rs.validate(schema, value)
        assert not jsonschema_rs.is_valid(schema, {})


def test_neither_torch_nor_mlflow_is_loaded(running):
    """Not by the modules that answer, and not by the process that does."""
    heavy = "{'torch', 'mlflow', 'sklearn', 'scipy', 'pandas', 'matplotlib'}"
    code = f"import sys, digits.service.hot_swap; sys.exit({heavy} & set(sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    (worker,) = workers(running[0])
    maps = Path(f"/proc/{worker.pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert not re.search(r"/(torch|pandas|sklearn)/", maps)


def test_several_workers_are_one_service(project):
    """Two processes answer; their numbers are added up."""
    with served(project, "--model", "model", "--workers", "2") as (_, address):
        body = json.dumps({"inputs": tensor(1).tolist()})
        for _ in range(20):
            assert request(address, "POST", "/invocations", body, **JSON)[0] == 200
        told = request(address, "GET", "/metrics")[2].decode()

    assert 'digits_requests_total{route="/invocations",status="200"} 20.0' in told
    assert re.search(r'digits_model{[^}]*version="local"} 1.0', told)
