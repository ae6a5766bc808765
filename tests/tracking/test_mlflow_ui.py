"""`digits ui` names the tracking server that has the pages. The pages are in cli/test_ui."""

from digits.tracking import mlflow_ui
from tests.tracking.test_store_uri import answering


def test_the_address_of_a_tracking_server_is_printed(bare_project, monkeypatch, capsys):
    """With a tracking server configured, nothing is started, even if its store fails."""
    with answering(200) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        mlflow_ui.serve_ui(5000)
    assert capsys.readouterr().out == f"the tracking server has the pages: {uri}\n"
