"""The pages as HTML, the files and model cards behind them, and the feedback that they send."""

import base64
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from urllib.parse import urljoin

import numpy as np
import pytest

from digits.datasets import feedback_store
from digits.evaluation import model_card
from digits.project import atomic_files
from digits.registry.lineage import build_card
from digits.service import served_model, web_pages
from digits.service.served_model import ServedModel
from tests.drawing import written

SHA256 = "ab" * 32
EVIL = "<script>alert(1)</script>&\"'"


@pytest.fixture
def feedback(project):
    """The folder in which the service stores feedback, which does not exist yet."""
    folder = project / feedback_store.FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def correction(**changes):
    """The body of a correction with changed fields; None leaves a field out."""
    fields = {
        "picture": base64.b64encode(written("7")).decode(),
        "label": "7",
        "answer": "1",
        "status": "doubtful",
        "probability": 0.5,
        "model": {"name": "digits", "version": "3", "sha256": SHA256},
    }
    return json.dumps({k: v for k, v in (fields | changes).items() if v is not None}).encode()


class PageParser(HTMLParser):
    """The links of a page, and the parts that a strict content security policy refuses."""

    def __init__(self, text):
        super().__init__()
        self.links, self.inline = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Inspect one element."""
        values = dict(attrs)
        self.links += [values[key] for key in ("href", "src") if key in values]
        self.inline += [key for key in values if key == "style" or key.startswith("on")]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in values) else []


@pytest.mark.parametrize(
    ("path", "words"),
    [("/", ">model</span>"), ("/model", "<h1>model</h1>"), ("/docs", "Digits: API")],
)
def test_pages_obey_a_strict_policy_and_their_links_work(ask, path, words):
    """There is no inline script or style. Every link is relative and leads to a file."""
    status, headers, body = ask("GET", path)
    page = PageParser(body.decode())

    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert page.inline == []
    assert len(page.links) >= 3
    for link in page.links:
        assert not re.match(r"[a-z]+:|/", link)
        assert ask("GET", urljoin(path, link))[0] == 200, link
    assert words in body.decode()


@pytest.mark.parametrize(
    "name", ["x.js", "api.md", "..%2fserve.py", "%2e%2e/pages.py", "", "draw.js/", "%C3%A9"]
)
def test_other_files_are_not_served(ask, name):
    """Only a fixed set of files; for anything else, 404 with one sentence."""
    status, _, body = ask("GET", f"/static/{name}")

    assert status == 404
    assert body["error"]


def test_an_unknown_address_is_a_page_for_browsers(ask):
    """Its links work at any depth. A program gets JSON."""
    status, headers, body = ask("GET", "/no/such/page", Accept="text/html,*/*;q=0.8")
    page = PageParser(body.decode())

    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert page.inline == []
    for link in page.links:
        assert ask("GET", urljoin("/no/such/page", link))[0] == 200, link
    status, _, body = ask("GET", "/no/such/page", Accept="application/json")
    assert (status, body["error"]) == (404, "Not Found")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_each_command_of_the_docs_is_answered(ask, feedback):
    """There is one for each route, and a second one for an image; all get status 200."""
    text = ask("GET", "/docs")[2].decode()
    commands = [html.unescape(c) for c in re.findall(r'class="command">(.*?)</code>', text, re.S)]

    assert len(commands) == len(ask("GET", "/openapi.json")[2]["paths"]) + 1
    for command in commands:
        loud = command.replace("curl ", "curl --fail -sS ")
        done = subprocess.run(loud, shell=True, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), command
    (row,) = feedback_store.read_corrections(feedback)
    assert row.label == "7"


def test_a_correction_is_stored(ask, feedback):
    """With the answer and the model that the client names. A second one replaces the label."""
    for label in ("7", "9"):
        status, _, body = ask("POST", "/feedback", correction(label=label))
        assert (status, body["stored"]) == (200, label)

    (row,) = feedback_store.read_corrections(feedback)
    assert (feedback / row.file).read_bytes() == written("7")
    stored = (row.label, row.answer, row.status, row.probability)
    assert stored == ("9", "1", "doubtful", "0.500000")
    assert (row.name, row.version, row.model_sha256) == ("digits", "3", SHA256)


BAD = {
    "an empty body": b"",
    "invalid JSON": b"{",
    "a picture that is not an image": correction(picture=base64.b64encode(b"hello").decode()),
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
    "an unknown field": correction(extra=1),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_invalid_feedback_is_refused_in_one_sentence(ask, feedback, body):
    """With status 400, the problem and the request's id; nothing is stored."""
    status, _, response = ask("POST", "/feedback", body)

    assert status == 400
    assert set(response) == {"error", "request_id"}
    assert response["error"].count("\n") == 0
    assert "Traceback" not in response["error"]
    assert not feedback.exists()


SIZE = r",\d+,(?=[^,]+$)"  # the last column but one


@pytest.mark.parametrize(
    ("pattern", "value", "status", "words"),
    [
        (SIZE, f",{feedback_store.MAX_TOTAL_BYTES},", 429, "1 images are stored, no"),
        ("file,", "name,", 503, "feedback cannot be stored now"),
    ],
)
def test_a_full_or_damaged_store_is_not_changed(ask, feedback, pattern, value, status, words):
    """A full store gives 429. A damaged table is for the operator: the client gets 503."""
    ask("POST", "/feedback", correction())
    table = feedback / "labels.csv"
    before = re.sub(pattern, value, table.read_text(), count=1)
    table.write_text(before)
    another = correction(picture=base64.b64encode(written("1")).decode())
    answered, _, body = ask("POST", "/feedback", another)

    assert answered == status
    assert words in body["error"]
    assert table.read_text() == before


def full_card(text):
    """A card that has every section, with `text` wherever there is one."""
    gate = {**dict.fromkeys(("verdict", "why", "mode"), text), "head": [text], "rows": [[text]]}
    confusion = {"classes": [text], "counts": [[1]]}
    confusion["recall"] = [{"class": "0", "n": 1, "right": 1, "interval": [0, 1]}]
    return {
        "kind": text,
        "version": {"name": text, "number": 1, "aliases": [text], "registered": text},
        "run": {"id": text, "started": text, "address": f"https://localhost/{text}"},
        "model": {"content_sha256": SHA256},
        "commit": {"id": text},
        "data": {text: text},
        "promotion": [{"when": text, "who": text, "what": text, "why": text}],
        "gate": gate | {"n": 1},
        "test": {"n": 1, "accuracy": 1.0, "interval": [0.0, 1.0], "ece": 0.0},
        "parameters": 1,
        "sizes": text,
        "classes": [text],
        "corrupted": {text: 0.5},
        "examples": text,
        "mistakes": text,
        "confusion": confusion,
    }


def test_every_text_is_escaped(model):
    """Other people write to a registry, so its texts are not trusted."""
    card = full_card(EVIL)
    served = ServedModel(model.classifier, EVIL, "1", EVIL, SHA256, card)
    for text in (web_pages.render_model_page(served), model_card.render_markdown(card, EVIL)):
        assert "<script" not in text
        assert text.count("&lt;script&gt;") > 15
        assert PageParser(text).inline == []


def test_the_page_of_an_unknown_model_says_that_nothing_is_recorded(model):
    """It shows the hash of the files, which the manifest has."""
    text = web_pages.render_model_page(model)

    assert text.count("ot recorded") > 8
    assert model.content_sha256 in text


def test_a_version_has_its_promotions_and_the_gates_table(enter, variants):
    """Who made it champion, when and why; each rule with the values of both models."""
    enter("poor")
    enter("good")
    card, replaced = build_card(variants["good"]), build_card(variants["poor"])

    assert json.loads(json.dumps(card)) == card
    assert (card["version"]["number"], card["version"]["aliases"]) == (2, ["champion"])
    (entry,) = card["promotion"]
    assert entry["what"] == "made champion by register"
    assert "images gained" in entry["why"]
    assert card["gate"]["verdict"] == "passed"
    rules = ["better", "classes", "calibration", "latency"]
    assert [row[0] for row in card["gate"]["rows"]] == rules
    changes = [f"{change} champion by register" for change in ("made", "replaced as")]
    assert [entry["what"] for entry in replaced["promotion"]] == changes
    model = served_model.load_served_model(variants["good"], "digits", "2", "digits-2", card)
    about = model.description
    assert (about["title"], about["aliases"], about["test_accuracy"]) == (
        "digits-2",
        ["champion"],
        None,
    )
    text = web_pages.render_model_page(model)
    assert "images gained" in text
    assert "champion 1" in text  # the head of the gate's table


def test_scores_are_those_of_the_run(built, monkeypatch):
    """For a model of the pipeline: scores, confusion matrix and examples of `evaluate`."""
    monkeypatch.chdir(built)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    card = build_card(built / "models/digits")
    scores = atomic_files.read_json(built / "metrics/evaluate.json")

    assert card["test"]["n"] == scores["n"] == 10_000
    assert card["test"]["accuracy"] == pytest.approx(scores["accuracy"])
    low, high = card["test"]["interval"]
    assert low < scores["accuracy"] < high
    counts = np.array(card["confusion"]["counts"])
    assert counts.sum() == 10_000
    assert counts.trace() / 10_000 == pytest.approx(scores["accuracy"])
    examples = base64.b64decode(card["examples"])
    assert examples == (built / "metrics/pictures/examples.png").read_bytes()
    assert set(card["data"]) == {"data/splits/train.npz", "data/splits/validation.npz"}
