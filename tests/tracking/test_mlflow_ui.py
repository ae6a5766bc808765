"""`digits ui` prints an address at once, and leaves no process behind."""

import contextlib
import signal
import socket
import time
import urllib.request

import psutil

from digits.tracking import mlflow_ui
from tests.tracking.test_store_uri import answering


def test_ctrl_c_ends_every_process_of_the_pages(project, python):
    """The pages answer on the next free port until then."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = python(f"from digits.tracking.mlflow_ui import serve_ui; serve_ui({port})")
        url = process.readline().split()[0]
        assert b"<title>MLflow</title>" in _download(process, url)
        assert int(url.removeprefix("http://127.0.0.1:")) > port
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)  # MLflow treats SIGTERM in the same way
        errors = process.communicate(timeout=30)[1]

    assert (process.returncode, "Traceback" in errors) == (0, False), errors
    assert children
    assert psutil.wait_procs(children, timeout=5)[1] == []


def _download(process, url):
    """Return the page at `url` as soon as it answers."""
    while process.returncode is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
        time.sleep(0.2)
    raise AssertionError(process.communicate())


def test_the_address_of_a_tracking_server_is_printed(bare_project, monkeypatch, capsys):
    """With a tracking server configured, nothing is started."""
    with answering(200) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        mlflow_ui.serve_ui(5000)
    assert capsys.readouterr().out == f"the tracking server has the pages: {uri}\n"
