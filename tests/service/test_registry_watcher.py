"""The service follows the alias in the registry, and only to what is right."""

import json
import signal
import time
from pathlib import Path

from digits.inference import model_manifest
from digits.registry import registration, version_download
from digits.tracking import tracking_store
from tests.cli.test_main import refusal
from tests.service.conftest import request
from tests.service.service import served


def version(address):
    """The version that answers now."""
    return request(address, "GET", "/v2/models/digits")[1]["x-model"]


def eventually(condition, seconds=60):
    """Wait until it holds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_the_service_follows_the_champion(versions, tmp_path):
    """A moved alias is taken up; a version with other bytes is refused and the old one stays."""
    name = "digits"
    (first,) = (
        v for v in registration.list_versions(tracking_store.current_store(), name) if v.number == 1
    )
    client = first.store.client
    log = tmp_path / "log"
    with log.open("w") as file, served(versions, log=file) as (process, address):
        assert version(address) == "digits/2"

        client.set_registered_model_alias(name, "champion", "1")
        assert eventually(lambda: version(address) == "digits/1")

        content = model_manifest.check_files(versions / "model-2")["content_sha256"]
        _tamper(client, versions, name, version_download.cached_folder(content))
        client.set_registered_model_alias(name, "champion", "2")
        assert eventually(lambda: "model refused" in log.read_text())
        assert version(address) == "digits/1"
        assert request(address, "GET", "/ping")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0

    events = [json.loads(line) for line in log.read_text().splitlines()]
    (refused,) = [e for e in events if e.get("event") == "model refused"]
    assert "version 2" in refused["reason"] or "differs" in refused["reason"]


def _tamper(client, folder, name, kept):
    """Change a byte of version 2's network where it is stored, and forget the copy."""
    files_ = [Path(p) for p in folder.rglob("model.onnx") if "model-" not in str(p.parent)]
    for path in files_:
        if path.read_bytes() == (folder / "model-2/model.onnx").read_bytes():
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.write_bytes(content)
    for path in sorted(kept.glob("*")):
        path.unlink()


def test_what_cannot_be_served_is_told_in_one_line(versions, capfd):
    """An unknown version, a folder that is no model: status 2, no server."""
    (versions / "empty").mkdir()
    for model, words in (("7", "digits has no version '7'"), ("empty", "manifest.json")):
        assert words in refusal(capfd, "serve", "--port", "0", "--model", model)
