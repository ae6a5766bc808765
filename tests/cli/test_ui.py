"""The MLflow UI on the real store, in a real browser: two runs side by side."""

import json
import re
import signal
import subprocess
import sys
import urllib.parse
from contextlib import contextmanager

import pytest

from digits.tracking import runs, tracking_store
from digits.tracking import store_uri as tracking_address
from tests.drawing import CHROMIUM, browser


@contextmanager
def served(folder):
    """The address of `digits ui` for the checkout in `folder`."""
    command = [sys.executable, "-m", "digits.cli", "ui", "--port", "5600"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            told = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", told).group()
            while tracking_address.connection_problem(address) is not None:
                assert process.poll() is None
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_two_learning_rates_are_seen_side_by_side(workspace):
    """The compare page shows both runs, their learning rates and their accuracies."""
    for rate in (0.001, 0.02):
        params = {"train": {"learning_rate": rate}}
        with runs.tracked_run("mlp", resume=None, params=params, inputs={}, code={}) as run:
            run.log_epoch(1, {"validation_accuracy": 0.9})
    here = tracking_store.current_store()
    found = here.client.search_runs([here.experiment])

    with served(workspace) as address, browser() as chromium:
        page, asked = chromium.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        ids = [run.info.run_id for run in found]
        query = {"runs": json.dumps(ids), "experiments": json.dumps([here.experiment])}
        page.goto(f"{address}/#/compare-runs?{urllib.parse.urlencode(query)}")
        page.get_by_text("train.learning_rate").first.wait_for(timeout=60_000)
        text = page.inner_text("body")

    assert {"0.001", "0.02", *ids} <= set(re.split(r"\s+", text))
    assert "validation_accuracy" in text
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
