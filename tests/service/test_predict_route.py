"""Responses of the service, over real connections to a real process."""

import base64
import io
import json
import re
import sys
import textwrap
from pathlib import Path

import cv2
import jsonschema_rs
import numpy as np
import pytest
from PIL import Image

from digits.inference import classifier
from digits.service.open_inference import JSON_LENGTH_HEADER
from tests.cli.test_predict import png_header
from tests.conftest import call
from tests.drawing import written
from tests.service.service import workers

JSON = {"Content_Type": "application/json"}


def tensor(n=2):
    """Random images for the network."""
    return np.random.default_rng(n).integers(0, 256, (n, 28, 28), dtype=np.uint8)


def input_tensor(images, name="images", **fields):
    """An input of the Open Inference Protocol."""
    return {"name": name, "shape": list(images.shape), "datatype": "UINT8", **fields}


def assert_logits(logits, project, images):
    """Fail unless these are the logits of the model itself, up to the last bits."""
    expected = classifier.load(project / "model").logits(images)
    np.testing.assert_allclose(np.float32(logits), expected, rtol=1e-4, atol=1e-5)


def test_predict_answers_as_the_command_prints(project, ask):
    """Raw bytes and base64 in JSON give the fields of `predict --json`, model and request id."""
    image = written("3407")
    (project / "page.png").write_bytes(image)
    options = ["--model", "./model", "--top", "3", "--json"]
    printed = call(project, sys.executable, "-m", "digits.cli", "predict", "page.png", *options)
    (record,) = json.loads(printed.stdout)
    del record["file"]
    command_model = record.pop("model")

    raw = ask("POST", "/predict?top=3&pictures=true", image, X_Request_Id="mine-1")
    body = {"picture": base64.b64encode(image).decode(), "top": 3, "pictures": True}
    encoded = ask("POST", "/predict", json.dumps(body), **JSON)

    for status, headers, response in (raw, encoded):
        assert status == 200
        assert {key: response[key] for key in record} == record
        assert headers["x-model"] == "model/local"
        hashes = {response["model"]["sha256"], command_model["sha256"]}
        assert hashes == {headers["x-model-sha256"]}
        assert headers["x-request-id"] == response["request_id"]
        glyphs = [Image.open(io.BytesIO(base64.b64decode(g))) for g in response["pictures"]]
        assert [glyph.size for glyph in glyphs] == [(28, 28)] * len(record["boxes"])
    assert raw[2]["request_id"] == "mine-1"


def test_all_common_forms_of_base64_are_read(ask):
    """A data URL, line breaks, the alphabet of URLs, no padding; nonsense is named."""
    image = written("3407")
    plain, url = base64.b64encode(image).decode(), base64.urlsafe_b64encode(image).decode()
    forms = [f"data:image/png;base64,{plain}", "\r\n".join(textwrap.wrap(plain)), url.rstrip("=")]
    texts = [ask("POST", "/predict", json.dumps({"picture": f}), **JSON)[2] for f in forms]
    assert {text["text"] for text in texts} == {ask("POST", "/predict", image)[2]["text"]}
    status, _, refused = ask("POST", "/predict", json.dumps({"picture": "a!"}), **JSON)
    assert (status, "picture: " in refused["error"]) == (400, True)


@pytest.mark.parametrize(("query", "n"), [("", 4), ("?several=true", 4), ("?several=false", 1)])
def test_several_chooses_between_one_and_many_digits(ask, query, n):
    """`several=false` finds one digit where there are four; true and the default find four."""
    assert len(ask("POST", f"/predict{query}", written("3407"))[2]["boxes"]) == n


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "words"),
    [
        ("/predict", b"", "image/png", 400, "an empty file"),
        ("/predict", b"GIF89a", "image/png", 400, "a damaged GIF image"),
        ("/predict", png_header(10_000, 2_401), "image/png", 400, "10000 x 2401 pixels"),
        ("/predict", b"hello", "text/plain", 400, "not an image; PNG, JPEG"),
        ("/predict?top=11", written("1"), "image/png", 400, "top: it should be"),
        ("/predict", b'{"picture": "", "top": "3"}', "application/json", 400, "top: it should"),
        ("/predict?several=maybe", written("1"), "image/png", 400, "several: it should be"),
        ("/predict?top=1&top=2", written("1"), "image/png", 400, "given twice"),
        ("/predict?colour=1", written("1"), "image/png", 400, "colour: Extra inputs"),
        ("/predict", b"{}", "application/json", 400, "picture: it is missing"),
        ("/predict", b'{"picture": 5}', "application/json", 400, "picture: it should be"),
        ("/predict", b"[" * 99999, "application/json", 400, "the body: it is not JSON"),
        ("/predict", b"x", "multipart/form-data; boundary=x", 415, "forms are not"),
        ("/invocations", b'{"inputs": NaN}', "application/json", 400, "the body is not JSON"),
        ("/invocations", b'{"inputs": []}', "application/json", 400, "expected 1 to 1,000"),
        ("/invocations", b'{"inputs": 9000000000}', "application/json", 400, "28 x 28 numbers"),
        ("/invocations", b"{}", "text/csv", 415, "application/json"),
        ("/v2/models/model/infer", b"5", "application/json", 400, "the body: it should be"),
        ("/v2/models/other/infer", b"{}", "application/json", 404, "only model version"),
        ("/nowhere", b"", "text/plain", 404, "Not Found"),
        ("/docs", b"", "text/plain", 405, "Method Not Allowed"),
    ],
)
def test_an_invalid_request_is_refused_in_one_sentence(ask, path, body, kind, status, words):
    """With a 4xx, the problem and the request's id."""
    answered, headers, response = ask("POST", path, body, Content_Type=kind)

    assert answered == status
    assert words in response["error"]
    assert "\n" not in response["error"]
    assert response["request_id"] == headers["x-request-id"]


@pytest.mark.parametrize(
    ("form", "n", "more"), [("inputs", 2, 0), ("instances", 2, 0.5), ("inputs", 300, 0)]
)
def test_invocations_answer_logits(ask, project, form, n, more):
    """For integers, for fractions, which are cut off as in MLflow, and for more than a batch."""
    body = json.dumps({form: (tensor(n) + more).tolist()})
    status, _, response = ask("POST", "/invocations", body, **JSON)

    assert (status, list(response)) == (200, ["predictions"])
    assert_logits(response["predictions"]["logits"], project, tensor(n))


def test_open_inference_describes_the_model(ask, model):
    """Server, health, and the tensors of the model, whose input has the name of the graph's."""
    assert ask("GET", "/v2")[2]["extensions"] == ["binary_tensor_data"]
    assert ask("GET", "/v2/health/live")[2] == {"live": True}
    assert ask("GET", "/v2/health/ready")[2] == {"ready": True}
    assert ask("GET", "/v2/models/model/ready")[0] == 200
    assert ask("GET", "/v2/models/model/versions/7")[0] == 404
    description = ask("GET", "/v2/models/model/versions/local")[2]

    (graph_input,) = model.classifier.session.get_inputs()
    fields = {"datatype": "UINT8", "shape": [-1, 28, 28]}
    assert description["inputs"] == [{"name": graph_input.name, **fields}]
    assert [output["name"] for output in description["outputs"]] == ["logits", "probabilities"]


@pytest.mark.parametrize(("flat", "name"), [(True, "pictures"), (False, "images")])
def test_open_inference_in_json(ask, project, flat, name):
    """Flat or nested data under either name; both outputs, and the request's own id."""
    data = (tensor().ravel() if flat else tensor()).tolist()
    outputs = [{"name": "logits"}, {"name": "probabilities"}]
    request_ = {"id": "7", "inputs": [input_tensor(tensor(), name, data=data)], "outputs": outputs}
    status, _, response = ask("POST", "/v2/models/model/infer", json.dumps(request_), **JSON)

    assert (status, response["id"], response["model_version"]) == (200, "7", "local")
    logits, probabilities = (np.float32(o["data"]).reshape(o["shape"]) for o in response["outputs"])
    assert_logits(logits, project, tensor())
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_open_inference_in_bytes(ask, project):
    """The binary extension, as Triton's clients use it by default."""
    images = input_tensor(tensor(), parameters={"binary_data_size": tensor().nbytes})
    output = {"name": "logits", "parameters": {"binary_data": True}}
    head = json.dumps({"inputs": [images], "outputs": [output]}).encode()
    path, sizes = "/v2/models/model/versions/local/infer", {JSON_LENGTH_HEADER: str(len(head))}
    status, headers, content = ask("POST", path, head + tensor().tobytes(), **sizes)

    assert status == 200
    length = int(headers[JSON_LENGTH_HEADER])
    (output,) = json.loads(content[:length])["outputs"]
    logits = np.frombuffer(content[length:], "<f4").reshape(output["shape"])
    assert_logits(logits, project, tensor())


def test_metrics_and_log_record_each_request(ask, project):
    """Requests by route and status, digits, empty pages; one line of JSON for each request."""
    empty = cv2.imencode(".png", np.full((90, 90), 255, np.uint8))[1].tobytes()
    assert ask("POST", "/predict", written("12"), X_Request_Id="metrics")[0] == 200
    answer = ask("POST", "/predict", empty)[2]
    assert (answer["status"], answer["notes"]) == ("no digit", ["the image is blank"])
    metrics = ask("GET", "/metrics")[2].decode()

    assert re.search(r'digits_requests_total{route="/predict",status="200"} [1-9]', metrics)
    assert re.search(r'digits_rejects_total{reason="no digit"} [1-9]', metrics)
    assert re.search(r'digits_confidence_count{version="local"} [1-9]', metrics)
    assert re.search(r"digits_predictions_total{class=", metrics)
    assert re.search(r'digits_model{name="model",sha256="\w{64}",version="local"} 1.0', metrics)
    assert ask("POST", "/predict?draft=true", written("12"))[0] == 200
    again, counted = ask("GET", "/metrics")[2].decode(), r"digits_predictions_total{.*"
    assert re.findall(counted, again) == re.findall(counted, metrics)
    assert 'route="/predict (draft)"' in again
    events = [json.loads(line) for line in (project / "log").read_text().splitlines()]
    (event,) = (event for event in events if event.get("request_id") == "metrics")
    assert event["time"].endswith("+00:00")
    assert (event["route"], event["status"], event["model"]) == ("/predict", 200, "model/local")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {"picture": base64.b64encode(written("3407")).decode(), "top": 2}),
        ("/invocations", {"instances": tensor().tolist()}),
        ("/v2/models/{name}/infer", {"inputs": [input_tensor(tensor(), data=tensor().tolist())]}),
    ],
)
def test_requests_and_responses_match_their_schemas(ask, path, body):
    """Those of the OpenAPI document, for valid and for refused requests."""
    document = ask("GET", "/openapi.json")[2]
    components, route = {"components": document["components"]}, document["paths"][path]["post"]
    url, described = path.replace("{name}", "model"), route["responses"]
    response, refusal = (ask("POST", url, json.dumps(sent), **JSON)[2] for sent in (body, []))

    parts = route["requestBody"], described["200"], described["default"]
    for part, value in zip(parts, (body, response, refusal), strict=True):
        schema = part["content"]["application/json"]["schema"] | components
        jsonschema_rs.validate(schema, value)
        assert not jsonschema_rs.is_valid(schema, {})


def test_neither_torch_nor_mlflow_is_loaded(project, running):
    """Neither by the modules of a worker nor in its process."""
    heavy = "{'torch', 'mlflow', 'sklearn', 'scipy', 'pandas', 'matplotlib'}"
    code = f"import sys, digits.service.hot_swap; sys.exit({heavy} & set(sys.modules) or 0)"
    call(project, sys.executable, "-c", code)

    (worker,) = workers(running[0])
    maps = Path(f"/proc/{worker.pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert not re.search(r"/(torch|pandas|sklearn)/", maps)
