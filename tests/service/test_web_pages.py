"""The pages as HTML, what they are made of, and the feedback they send."""

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from urllib.parse import urljoin

import numpy as np
import pytest

from digits.datasets import feedback_store as kept
from digits.project import atomic_files
from digits.service import served_model, web_pages
from digits.service.model_card import collect_facts
from digits.service.served_model import ServedModel
from tests.drawing import written

SHA256 = "ab" * 32
EVIL = "<script>alert(1)</script>&\"'"


@pytest.fixture
def feedback(project):
    """The folder in which the service stores feedback, not there yet."""
    folder = project / kept.FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    return folder


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
    ("path", "words"), [("/", "l (local)"), ("/model", "l (local)"), ("/docs", "Digits: API")]
)
def test_pages_obey_a_strict_policy_and_refer_to_what_is_there(ask, path, words):
    """No inline script or style; every link is relative and answers."""
    status, headers, body = ask("GET", path)
    parts = Parts(body.decode())

    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert parts.inline == []
    assert len(parts.links) >= 3
    for link in parts.links:
        assert not re.match(r"[a-z]+:|/", link)
        assert ask("GET", urljoin(path, link))[0] == 200, link
    assert words in body.decode()


@pytest.mark.parametrize(
    "name", ["x.js", "compare.html", "..%2fserve.py", "%2e%2e/pages.py", "", "draw.js/", "%C3%A9"]
)
def test_nothing_else_is_served(ask, name):
    """A fixed set of files; anything else is one sentence."""
    status, _, body = ask("GET", f"/static/{name}")

    assert status == 404
    assert body["error"]


def test_a_correction_is_stored(ask, feedback):
    """With answer and model as the client had them; a second one replaces the label."""
    for label in ("7", "9"):
        status, _, body = ask("POST", "/feedback", correction(label=label))
        assert (status, body["stored"]) == (200, label)

    (row,) = kept.read_corrections(feedback)
    assert (feedback / row.file).read_bytes() == written("7")
    found = (row.label, row.answer, row.status, row.probability, row.name, row.version)
    assert found == ("9", "1", "doubtful", "0.500000", "digits", "3")
    assert row.model_sha256 == SHA256


BAD = {
    "nothing": b"",
    "no JSON": b"{",
    "a picture that is none": correction(picture=base64.b64encode(b"hello").decode()),
    "no base64": correction(picture="é"),
    "no label": correction(label=None),
    "a label of other digits": correction(label="\u0667"),
    "a label with an empty row": correction(label="7/"),
    "a formula as answer": correction(answer="=1+1"),
    "NaN": correction(probability=float("nan")),
    "a formula as version": correction(model={"name": "d", "version": "=1", "sha256": SHA256}),
    "a path as name": correction(model={"name": "../d", "version": "1", "sha256": SHA256}),
    "a line break": correction(model={"name": "d\n", "version": "1", "sha256": SHA256}),
    "half a hash": correction(model={"name": "d", "version": "1", "sha256": "ab"}),
    "something more": correction(extra=1),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_bad_body_is_refused_in_one_sentence(ask, feedback, body):
    """400, what was wrong, the request's id; nothing is written."""
    status, _, told = ask("POST", "/feedback", body)

    assert status == 400
    assert set(told) == {"error", "request_id"}
    assert told["error"].count("\n") == 0
    assert "Traceback" not in told["error"]
    assert not feedback.exists()


@pytest.mark.parametrize(
    ("whole", "changed", "status", "words"),
    [
        (
            r",\d+,(?=[^,]+$)",
            f",{kept.MAX_TOTAL_BYTES},",
            429,
            "1 pictures are stored, no more are taken",
        ),
        ("file,", "name,", 503, "feedback cannot be stored now"),
    ],
)
def test_a_folder_that_takes_no_more_stays_as_it_is(ask, feedback, whole, changed, status, words):
    """Full, as its table says, or damaged, which is no matter of the client: nothing is changed."""
    ask("POST", "/feedback", correction())
    table = feedback / "labels.csv"
    table.write_text(re.sub(whole, changed, table.read_text(), count=1))
    before = table.read_text()
    another = correction(picture=base64.b64encode(written("1")).decode())
    found, _, body = ask("POST", "/feedback", another)

    assert found == status
    assert words in body["error"]
    assert table.read_text() == before


def test_every_text_is_escaped(model):
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
    evil = ServedModel(model.classifier, EVIL, "1", SHA256, facts)
    text = web_pages.render_model_page(evil)

    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 15
    assert Parts(text).inline == []


def test_what_is_not_recorded_is_said_to_be_so(model):
    """A model that nobody knows still has its page."""
    text = web_pages.render_model_page(model)

    assert text.count("ot recorded") > 8
    assert model.content in text


def test_a_version_has_its_promotion_and_the_gates_table(enter, variants):
    """Who made it champion, when and why; every rule with both values; who replaced it."""
    enter("poor")
    enter("good")
    facts = collect_facts(variants["good"])
    before = collect_facts(variants["poor"])

    assert json.loads(json.dumps(facts)) == facts
    assert facts["version"]["number"] == 2
    assert facts["version"]["aliases"] == ["champion"]
    (entry,) = facts["promotion"]
    assert entry["what"] == "made champion by register"
    assert "pictures gained" in entry["why"]
    assert facts["gate"]["verdict"] == "passed"
    rules = ["better", "classes", "calibration", "latency"]
    assert [row[0] for row in facts["gate"]["rows"]] == rules
    assert [e["what"] for e in before["promotion"]] == [
        "made champion by register",
        "replaced as champion by register",
    ]
    model = served_model.load_served_model(variants["good"], "digits", "2", facts)
    text = web_pages.render_model_page(model)
    assert "pictures gained" in text
    assert "champion 1" in text  # the head of the gate's table


def test_the_numbers_are_those_of_the_run(built, monkeypatch):
    """A model of the pipeline: scores, confusion and examples are what `evaluate` found."""
    monkeypatch.chdir(built)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    facts = collect_facts(built / "models/digits")
    told = atomic_files.read_json(built / "metrics/evaluate.json")

    assert facts["test"]["n"] == told["n"] == 10_000
    assert facts["test"]["accuracy"] == pytest.approx(told["accuracy"])
    assert facts["test"]["interval"] == pytest.approx(told["accuracy_interval"], abs=1e-5)
    counts = np.array(facts["confusion"]["counts"])
    assert counts.sum() == 10_000
    assert counts.trace() / 10_000 == pytest.approx(told["accuracy"])
    examples = base64.b64decode(facts["examples"])
    assert examples == (built / "metrics/pictures/examples.png").read_bytes()
    assert set(facts["data"]) == {"data/splits/train.npz", "data/splits/validation.npz"}
