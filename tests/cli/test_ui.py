"""`digits ui`: a real browser shows what matters first, and no process is left behind."""

import json
import signal
import urllib.parse
from contextlib import contextmanager

import psutil
import pytest

from digits.registry import promotion
from digits.tracking import store_uri, tracking_store
from tests import processes
from tests.conftest import free_port
from tests.drawing import CHROMIUM, browser
from tests.stores import better, example, make_model, trained

__all__ = ["example", "make_model", "trained"]  # fixtures
# The texts of a column's cells that can be seen now.
VISIBLE_CELLS = """column => [...document.querySelectorAll(".ag-cell")].filter(cell => {
  const box = cell.getBoundingClientRect();
  const seen = document.elementFromPoint(box.x + 15, box.y + box.height / 2);
  return cell.getAttribute("col-id") === column && cell.contains(seen);
}).map(cell => cell.innerText.trim())"""


@contextmanager
def served(port):
    """Run `digits ui` in the working directory; its address, which answers. At the end Ctrl-C.

    A proxy is configured that does not answer: nobody may ask it for a local server.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("http_proxy", "http://127.0.0.1:1")
        process = processes.Process("digits", "ui", "--port", port)
    with process:
        address = process.readline().split()[0]
        assert store_uri.connection_problem(address.partition("#")[0]) is None
        yield address
        assert psutil.Process(process.pid).children() == []
        process.send_signal(signal.SIGINT)  # MLflow treats SIGTERM in the same way
        errors = process.communicate(timeout=30)[1]
        assert (process.returncode, "Traceback" in errors) == (0, False), errors


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_pages_begin_with_what_matters(workspace, trained):
    """At 1,440 pixels, without a click: accuracy, gate, recipe and changed values of three runs.

    A comparison begins with accuracy, a model and a version with a sentence. No page asks another
    host.
    """
    (workspace / "params.yaml").write_text("recipes: {small: {train.learning_rate: 0.02}}")
    for accuracy, rate in ((0.7, 0.02), (0.8, 0.001), (0.75, 0.02)):
        version = trained(accuracy, "digits", train={"learning_rate": rate})
        promotion.apply_decision(version, better)
    store = tracking_store.current_store()
    ids = [run.info.run_id for run in store.client.search_runs([store.experiment])]

    with served(free_port()) as address, browser() as chromium:
        page, urls = chromium.new_page(viewport={"width": 1440, "height": 900}), []
        page.set_default_timeout(60_000)
        page.on("request", lambda request: urls.append(request.url))
        page.goto(address)
        page.get_by_role("gridcell", name="0.79").wait_for()
        names = ("metrics.`test/accuracy`", "metrics.`validation/accuracy`")
        tags = ("tags.`gate`", "tags.`recipe`", "tags.`changed`")
        runs_table = [page.evaluate(VISIBLE_CELLS, name) for name in names + tags]
        server = address.partition("#")[0]
        query = {"runs": json.dumps(ids[:2]), "experiments": json.dumps([store.experiment])}
        begins = {
            f"compare-runs?{urllib.parse.urlencode(query)}": (
                "Metrics:",
                "validation/accuracy",
            ),
            "models/digits": ("Edit", "Networks that classify images"),
            "models/digits/versions/2": ("Edit", "Model. A tiny network that is right on 80%."),
        }
        texts = []
        for path, (heading, beginning) in begins.items():
            page.goto(f"{server}#/{path}")
            page.get_by_text(beginning.partition(". ")[2] or beginning).first.wait_for()
            texts.append(page.inner_text("body").partition(heading)[2].strip())

    assert runs_table == [
        ["0.79", "0.74", "0.69"],
        ["0.8", "0.75", "0.7"],
        ["passed", "failed", "passed"],
        ["small, changed", "small", "small"],
        ["train.learning_rate=0.001", "nothing", "nothing"],
    ]
    beginnings = [beginning for _, beginning in begins.values()]
    assert [text[: len(b)] for text, b in zip(texts, beginnings, strict=True)] == beginnings
    assert "Gate. Passed: it became champion" in texts[-1]
    assert [url for url in urls if not url.startswith((server, "data:", "blob:"))] == []
