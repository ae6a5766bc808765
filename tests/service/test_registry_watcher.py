"""The service follows the alias in the registry, and serves intact versions only."""

import json
import signal
import time

from digits.inference import model_manifest
from digits.registry import version_download
from digits.tracking import tracking_store
from tests.cli.test_main import refusal
from tests.service.conftest import request
from tests.service.service import served

OFTEN = "from digits.service import registry_watcher as w; w.POLL_SECONDS = 0.2"


def served_version(address):
    """The name and number of the version that answers."""
    return request(address, "GET", "/v2/models/digits")[1]["x-model"]


def eventually(condition, seconds=60):
    """Wait until a condition holds; whether it did in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_the_service_follows_the_champion(versions, tmp_path):
    """It loads the version that the alias moves to. It refuses one with altered bytes."""
    client, log = tracking_store.current_store().client, tmp_path / "log"
    with log.open("w") as file, served(versions, log=file, change=OFTEN) as (process, address):
        assert served_version(address) == "digits/2"

        client.set_registered_model_alias("digits", "champion", "1")
        assert eventually(lambda: served_version(address) == "digits/1")

        content = model_manifest.check_files(versions / "model-2")["content_sha256"]
        tamper(versions, version_download.cached_folder(content))
        client.set_registered_model_alias("digits", "champion", "2")
        assert eventually(lambda: "model refused" in log.read_text())
        assert served_version(address) == "digits/1"
        assert request(address, "GET", "/ping")[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0

    events = [json.loads(line) for line in log.read_text().splitlines()]
    (refused,) = [event for event in events if event.get("event") == "model refused"]
    assert "version 2" in refused["reason"] or "differs" in refused["reason"]


def tamper(folder, cache):
    """Change a byte of version 2's graph where it is stored, and remove the cached copy."""
    graph = (folder / "model-2/model.onnx").read_bytes()
    for path in folder.rglob("model.onnx"):
        if "model-" not in str(path.parent) and path.read_bytes() == graph:
            path.write_bytes(graph[:-1] + bytes([graph[-1] ^ 1]))
    for path in cache.glob("*"):
        path.unlink()


def test_a_model_that_cannot_be_served_is_refused_in_one_line(versions, capfd):
    """An unknown version, or a folder without a model: status 2, no server."""
    (versions / "empty").mkdir()
    for model, words in (("7", "'digits' has no version '7'"), ("empty", "manifest.json")):
        assert words in refusal(capfd, "serve", "--port", "0", "--model", model)
