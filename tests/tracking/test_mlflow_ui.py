"""`digits ui` names the tracking server that has the pages. The pages are in cli/test_ui."""

import socket

import pytest

from digits.project.errors import UserError
from digits.tracking import mlflow_ui
from tests.tracking.test_store_uri import answering


def test_the_address_of_a_tracking_server_is_printed(bare_project, monkeypatch, capsys):
    """With a tracking server configured, nothing is started, even if its store fails."""
    with answering(200) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        mlflow_ui.serve_ui(5000)
    assert capsys.readouterr().out == f"the tracking server has the pages: {uri}\n"


def test_a_port_that_was_chosen_is_taken_or_refused():
    """Without one, the next free one is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert port < mlflow_ui.choose_port(None, port) < port + 100
        with pytest.raises(UserError, match=f"port {port} .*choose another --port"):
            mlflow_ui.choose_port(port, 5000)
    assert mlflow_ui.choose_port(port, 5000) == port
