"""`digits ui`: the address at once, and nothing left behind."""

import contextlib
import signal
import socket
import time
import urllib.request

import psutil
import pytest

from digits.tracking import mlflow_ui

SERVE = "from digits.tracking.mlflow_ui import serve_ui; serve_ui({})"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_pages_come_and_go(project, python, ending):
    """The pages answer on the next free port; Ctrl-C or SIGTERM ends every process."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = python(SERVE.format(port))
        url = process.readline().split()[0]
        assert b"<title>MLflow</title>" in _page(process, url)
        assert int(url.removeprefix("http://127.0.0.1:")) > port
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(ending)
        _, told = process.communicate(timeout=30)

    assert process.returncode == 0, told
    assert "Traceback" not in told
    assert family
    assert psutil.wait_procs(family, timeout=5)[1] == []


def _page(process, url):
    """What is at `url`, as soon as it is there."""
    while process.returncode is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
        time.sleep(0.2)
    raise AssertionError(process.communicate())


def test_a_servers_pages_are_its_own(server, capsys):
    """With a tracking server configured, its address is told and nothing is started."""
    mlflow_ui.serve_ui(5000)
    assert capsys.readouterr().out == f"the tracking server has them: {server.uri}\n"
