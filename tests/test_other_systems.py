"""What other systems than Linux lack is not needed to predict and to serve.

No other system was at hand: these processes run on Linux, without what Windows does not have.
"""

import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from digits.project import atomic_files
from digits.project.errors import UserError
from digits.service import processes
from digits.tuning import worker_pool
from tests.service.conftest import request
from tests.service.service import served
from tests.strokes import packed, page

POORER = """
import os, sys
import psutil  # has code of its own for each system; that for Linux needs `resource`

sys.modules |= dict.fromkeys(("fcntl", "resource", "uvloop"))
del os.getuid, os.sched_getaffinity
"""


@pytest.fixture
def poorer(tmp_path):
    """The environment of processes that run POORER before anything else."""
    folder = tmp_path / "poorer"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(POORER)
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}


def test_predict_needs_nothing_that_windows_lacks(poorer, tmp_path, reader):
    """It reads a seven, and has run without those names."""
    Image.fromarray(page("7", np.random.default_rng(0))).save(tmp_path / "seven.png")
    code = "import os, signal; del signal.SIGHUP; assert not hasattr(os, 'getuid')\n"
    code += "from digits.cli.main import main; main()"
    command = [sys.executable, "-c", code, "predict", "seven.png", "--model", reader, "--json"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | poorer, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, f"model: {reader}\n")
    assert json.loads(done.stdout)[0]["digit"] == 7


def test_the_service_needs_nothing_that_windows_lacks(poorer, tmp_path, reader):
    """It answers a request, and Ctrl-C ends it. SIGHUP stays: Granian needs it on Linux."""
    folder = shutil.copytree(reader, tmp_path / "model")
    image = packed(Image.fromarray(page("7", np.random.default_rng(0))), "PNG")
    options = ("--model", str(folder))
    with served(tmp_path, *options, environment=poorer) as (process, address):
        assert request(address, "POST", "/predict", image)[2]["digit"] == 7
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0


def test_windows_flushes_no_files_and_has_no_search(tmp_path, monkeypatch):
    """It can open no folder and flush nothing that is open for reading; it cannot fork."""
    monkeypatch.setattr(os, "fsync", lambda *_: pytest.fail("something is flushed"))
    monkeypatch.setattr(sys, "platform", "win32")
    atomic_files.write_json(tmp_path / "new.json", {"a": 1})
    with atomic_files.atomic_folder(tmp_path / "folder") as partial:
        (partial / "file").touch()
    assert atomic_files.read_json(tmp_path / "new.json") == {"a": 1}
    assert (tmp_path / "folder/file").exists()

    with pytest.raises(UserError, match="use Linux, macOS or WSL"):
        runpy.run_path(worker_pool.__file__)


def test_macos_lets_no_worker_bind_an_address_that_is_bound(monkeypatch):
    """There, the address is free again before the workers start."""
    for platform, is_free in (("linux", False), ("darwin", True)):
        monkeypatch.setattr(sys, "platform", platform)
        with processes.reserve_address("127.0.0.1", 0) as address, socket.socket() as worker:
            assert can_bind(worker, address) is is_free


def can_bind(worker, address):
    """Whether `worker` can bind `address`, without SO_REUSEADDR."""
    try:
        worker.bind(address)
    except OSError:
        return False
    return True
