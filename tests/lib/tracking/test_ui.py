"""`digits ui`: one line with the address, and nothing left behind."""

import os
import signal
import socket
import time
import urllib.request

import psutil

from stages.lib.tracking import ui

SERVE = "from stages.lib.tracking.ui import serve_ui; serve_ui({})"


def test_the_pages_come_and_go(project, python):
    """The pages answer on the next free port, and Ctrl-C ends every process."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = python(SERVE.format(port))
        url = process.stdout.readline().split()[0]
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert b"<title>MLflow</title>" in answer.read()
        assert int(url.removeprefix("http://127.0.0.1:")) > port
        _end(process, signal.SIGINT)


def test_it_can_be_ended_while_it_starts(project, python):
    """SIGTERM ends every process, before there are pages too."""
    process = python(SERVE.format(5000))
    until = time.monotonic() + 60
    while not psutil.Process(process.pid).children() and time.monotonic() < until:
        time.sleep(0.1)
    _end(process, signal.SIGTERM)


def _end(process, ending):
    """Send a signal: the exit is a good one, and no child is left."""
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, ending)
    _, errors = process.communicate(timeout=30)
    assert family
    assert (process.returncode, errors) == (0, "")
    assert psutil.wait_procs(family, timeout=5)[1] == []


def test_a_servers_pages_are_its_own(server, capsys):
    """With a tracking server configured, its address is told and nothing is started."""
    ui.serve_ui(5000)
    assert capsys.readouterr().out == f"the tracking server has them: {server.uri}\n"
