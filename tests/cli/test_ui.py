"""`digits ui` shows two runs side by side, in a real browser, and leaves no process behind."""

import json
import re
import signal
import socket
import time
import urllib.parse
from contextlib import contextmanager

import psutil
import pytest

from digits.tracking import runs, store_uri, tracking_store
from tests import processes
from tests.drawing import CHROMIUM, browser


@contextmanager
def served(port):
    """Run `digits ui` in the working directory; its address. At the end press Ctrl-C."""
    with processes.Process("digits", "ui", "--port", port) as process:
        address = process.readline().split()[0]
        while store_uri.connection_problem(address) is not None:
            assert process.returncode is None, process.communicate()
            time.sleep(0.2)
        yield address
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)  # MLflow treats SIGTERM in the same way
        errors = process.communicate(timeout=30)[1]
        assert (process.returncode, "Traceback" in errors) == (0, False), errors
        assert children
        assert psutil.wait_procs(children, timeout=5)[1] == []


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_two_learning_rates_are_shown_side_by_side(workspace):
    """The compare page, on the next free port, shows both runs and their accuracies."""
    for rate in (0.001, 0.02):
        params = {"train": {"learning_rate": rate}}
        with runs.tracked_run("mlp", resume=None, params=params, inputs={}, code={}) as run:
            run.log_epoch(1, {"validation_accuracy": 0.9})
    store = tracking_store.current_store()
    ids = [run.info.run_id for run in store.client.search_runs([store.experiment])]

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with served(port) as address, browser() as chromium:
            page, urls = chromium.new_page(), []
            page.on("request", lambda request: urls.append(request.url))
            query = {"runs": json.dumps(ids), "experiments": json.dumps([store.experiment])}
            page.goto(f"{address}/#/compare-runs?{urllib.parse.urlencode(query)}")
            page.get_by_text("train.learning_rate").first.wait_for(timeout=60_000)
            text = page.inner_text("body")

    assert int(address.rpartition(":")[2]) > port
    assert {"0.001", "0.02", *ids} <= set(re.split(r"\s+", text))
    assert "validation_accuracy" in text
    assert [url for url in urls if not url.startswith((address, "data:", "blob:"))] == []
