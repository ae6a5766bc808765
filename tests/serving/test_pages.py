"""The pages as HTML, what they are made of, and the feedback they send."""

import base64
import contextlib
import json
import re
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from urllib.parse import urljoin

import numpy as np
import pytest
import uvicorn

from stages.lib import feedback as kept
from stages.lib import files
from stages.serving import pages, served
from stages.serving.about import about
from stages.serving.app import create_app
from stages.serving.served import Holder, Served
from tests.drawing import written

SHA256 = "ab" * 32
EVIL = "<script>alert(1)</script>&\"'"


@pytest.fixture(scope="module")
def loaded(variants):
    """A small model, served from its folder; nothing is known of it."""
    return served.load(variants["good"], "digits", "3", {})


@contextlib.contextmanager
def running(app):
    """The address of an application."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def service(loaded, tmp_path):
    """The address of the application, which stores feedback in tmp_path/feedback."""
    with running(create_app(Holder(loaded), tmp_path / "feedback")) as address:
        yield address


def ask(address, body=None, kind="application/json"):
    """Status, headers and body of an answer."""
    request = urllib.request.Request(address, body, {"Content-Type": kind} if body else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def correction(**changes):
    """The body of a correction; a value of None leaves its key out."""
    whole = {
        "picture": base64.b64encode(written("7")).decode(),
        "label": "7",
        "answer": "1",
        "status": "doubtful",
        "probability": 0.5,
        "model": {"name": "digits", "version": "3", "sha256": SHA256},
    }
    return json.dumps({k: v for k, v in (whole | changes).items() if v is not None}).encode()


class Parts(HTMLParser):
    """What a page refers to, and what a strict content security policy would refuse."""

    def __init__(self, text):
        super().__init__()
        self.links, self.inline = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Look at one element."""
        named = dict(attrs)
        self.links += [named[key] for key in ("href", "src") if key in named]
        self.inline += [key for key in named if key == "style" or key.startswith("on")]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in named) else []


@pytest.mark.parametrize(
    ("path", "words"),
    [("/", "digits version 3"), ("/model", "digits version 3"), ("/docs", "Digits: API")],
)
def test_pages_obey_a_strict_policy_and_refer_to_what_is_there(service, path, words):
    """No inline script or style; every link is relative and answers; the policy is sent."""
    status, headers, body = ask(service + path)
    parts = Parts(body.decode())

    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert parts.inline == []
    assert len(parts.links) >= 3
    for link in parts.links:
        assert not re.match(r"[a-z]+:|/", link)
        assert ask(urljoin(service + path, link))[0] == 200, link
    assert words in body.decode()


def test_scripts_come_as_scripts_and_import_what_is_there(service):
    """Each module that is imported is served, with a type that browsers run."""
    waiting, seen = ["draw.js"], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        status, headers, body = ask(f"{service}/static/{name}")
        assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
        waiting += set(re.findall(r'from "\./([a-z]+\.js)"', body.decode())) - seen
    assert len(seen) >= 4


@pytest.mark.parametrize(
    "name", ["x.js", "compare.html", "..%2fserve.py", "%2e%2e/pages.py", "", "draw.js/", "é"]
)
def test_nothing_else_is_served(service, name):
    """A fixed set of files; anything else is one sentence."""
    status, _, body = ask(f"{service}/static/{urllib.request.quote(name, safe='%/')}")

    assert status == 404
    assert json.loads(body)["error"]


def test_a_correction_is_stored(service, tmp_path):
    """With answer and model as the client had them; a second one replaces the label."""
    for label in ("7", "9"):
        status, _, body = ask(f"{service}/feedback", correction(label=label))
        assert (status, json.loads(body)["stored"]) == (200, label)

    (row,) = kept.read(tmp_path / "feedback")
    assert (tmp_path / "feedback" / row.file).read_bytes() == written("7")
    found = (row.label, row.answer, row.status, row.probability, row.name, row.version)
    assert found == ("9", "1", "doubtful", "0.500000", "digits", "3")
    assert row.model_sha256 == SHA256


def test_many_at_once_are_all_stored(service, tmp_path):
    """Eight senders, forty pictures: forty rows."""
    bodies = [
        correction(picture=base64.b64encode(written("1", seed)).decode()) for seed in range(40)
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: ask(f"{service}/feedback", body)[0], bodies))

    assert answers == [200] * 40
    assert len({row.file for row in kept.read(tmp_path / "feedback")}) == 40


BAD = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "bytes": bytes(range(256)),
    "deep": b"[" * 100_000,
    "no picture": correction(picture=None),
    "a picture that is none": correction(picture=base64.b64encode(b"hello").decode()),
    "no base64": correction(picture="é"),
    "a number as picture": correction(picture=7),
    "no label": correction(label=None),
    "an empty label": correction(label=""),
    "a label that is no digit": correction(label="seven"),
    "a label of other digits": correction(label="\u0667"),
    "a label with an empty row": correction(label="7/"),
    "a long label": correction(label="7" * 201),
    "a formula as answer": correction(answer="=1+1"),
    "another status": correction(status="error"),
    "NaN": correction(probability=float("nan")),
    "more than certain": correction(probability=1.1),
    "no model": correction(model=None),
    "a formula as version": correction(model={"name": "d", "version": "=1", "sha256": SHA256}),
    "a path as name": correction(model={"name": "../d", "version": "1", "sha256": SHA256}),
    "a line break": correction(model={"name": "d\n", "version": "1", "sha256": SHA256}),
    "half a hash": correction(model={"name": "d", "version": "1", "sha256": "ab"}),
    "something more": correction(extra=1),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_bad_body_is_refused_in_one_sentence(service, tmp_path, body):
    """400, what was wrong, the request's id; nothing is written."""
    status, _, answer = ask(f"{service}/feedback", body or b" ")
    told = json.loads(answer)

    assert status == 400
    assert set(told) == {"error", "request_id"}
    assert told["error"].count("\n") == 0
    assert "Traceback" not in told["error"]
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_takes_no_more(service, tmp_path, monkeypatch):
    """429 with the reason; what is there stays."""
    ask(f"{service}/feedback", correction())
    monkeypatch.setattr(kept, "MOST", 1)
    another = correction(picture=base64.b64encode(written("1")).decode())
    status, _, body = ask(f"{service}/feedback", another)

    assert status == 429
    assert "1 pictures are stored, no more are taken" in json.loads(body)["error"]
    assert len(kept.read(tmp_path / "feedback")) == 1


def test_a_damaged_table_is_no_matter_of_the_client(service, tmp_path):
    """503 without a word of paths; the table stays for a person to mend."""
    (tmp_path / "feedback").mkdir()
    (tmp_path / "feedback/labels.csv").write_text("file,label\n1.png,1\n")
    status, _, body = ask(f"{service}/feedback", correction())

    assert status == 503
    assert json.loads(body)["error"] == "feedback cannot be stored now"
    assert (tmp_path / "feedback/labels.csv").read_text() == "file,label\n1.png,1\n"


def test_every_text_is_escaped(loaded):
    """Whatever stands in a registry that others write to."""
    facts = {
        "kind": EVIL,
        "version": {"name": EVIL, "number": 1, "aliases": [EVIL], "registered": EVIL},
        "run": {"id": EVIL, "started": EVIL},
        "commit": {"id": EVIL},
        "data": {EVIL: EVIL},
        "promotion": [{"when": EVIL, "who": EVIL, "what": EVIL, "why": EVIL}],
        "gate": {
            **dict.fromkeys(("verdict", "why", "mode"), EVIL),
            "n": 1,
            "head": [EVIL],
            "rows": [[EVIL]],
        },
        "test": {"n": 1, "accuracy": 1.0, "interval": [0.0, 1.0], "ece": 0.0},
        "parameters": 1,
        "examples": EVIL,
        "confusion": {
            "classes": [EVIL],
            "counts": [[1]],
            "recall": [{"n": 1, "right": 1, "interval": [0, 1]}],
        },
    }
    model = Served(loaded.classifier, loaded.folder, EVIL, "1", SHA256, facts)
    text = pages.about_model(model)

    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 15
    assert Parts(text).inline == []


def test_what_is_not_recorded_is_said_to_be_so(loaded):
    """A model that nobody knows still has its page."""
    text = pages.about_model(loaded)

    assert text.count("ot recorded") > 8
    assert loaded.content in text


def test_a_version_has_its_promotion_and_the_gates_table(enter, variants):
    """Who made it champion, when and why; every rule with both values; who replaced it."""
    enter("poor")
    enter("good")
    facts = about(variants["good"])
    before = about(variants["poor"])

    assert json.loads(json.dumps(facts)) == facts
    assert facts["version"]["number"] == 2
    assert facts["version"]["aliases"] == ["champion"]
    (entry,) = facts["promotion"]
    assert entry["what"] == "made champion by register"
    assert "pictures gained" in entry["why"]
    assert facts["gate"]["verdict"] == "passed"
    assert [row[0] for row in facts["gate"]["rows"]] == [
        "better",
        "classes",
        "calibration",
        "latency",
    ]
    assert [e["what"] for e in before["promotion"]] == [
        "made champion by register",
        "replaced as champion by register",
    ]
    model = served.load(variants["good"], "digits", "2", facts)
    text = pages.about_model(model)
    assert "pictures gained" in text
    assert "champion 1" in text  # the head of the gate's table


def test_the_numbers_are_those_of_the_run(built, monkeypatch):
    """A model of the pipeline: scores, confusion and examples are what `evaluate` found."""
    monkeypatch.chdir(built)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    facts = about(built / "models/digits")
    told = files.read_json(built / "metrics/evaluate.json")

    assert facts["test"]["n"] == told["n"] == 10_000
    assert facts["test"]["accuracy"] == pytest.approx(told["accuracy"])
    assert facts["test"]["interval"] == pytest.approx(told["accuracy_interval"], abs=1e-5)
    counts = np.array(facts["confusion"]["counts"])
    assert counts.sum() == 10_000
    assert counts.trace() / 10_000 == pytest.approx(told["accuracy"])
    examples = base64.b64decode(facts["examples"])
    assert examples == (built / "metrics/pictures/examples.png").read_bytes()
    assert set(facts["data"]) == {"data/splits/train.npz", "data/splits/validation.npz"}
