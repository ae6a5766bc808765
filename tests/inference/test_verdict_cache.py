"""Verdicts on ONNX files are cached, and a cache that others could have written is not used."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from digits.inference import model_integrity, onnx_check
from digits.project.errors import UserError
from tests import hostile

LOAD = "import sys, pathlib; from digits.inference import classifier"
LOAD += "; classifier.load(pathlib.Path(sys.argv[1])); print('onnx' in sys.modules)"


@pytest.fixture
def folder(filled, tmp_path, monkeypatch):
    """A model, and an empty cache folder at `cache` beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return shutil.copytree(filled / "model-1", tmp_path / "model")


@pytest.fixture
def checks(monkeypatch):
    """The paths of the ONNX files that are checked during a test."""
    paths, check = [], onnx_check.read_onnx_metadata
    monkeypatch.setattr(onnx_check, "read_onnx_metadata", lambda p: paths.append(p) or check(p))
    return paths


def test_a_model_that_passed_is_loaded_without_onnx(folder):
    """The first process imports onnx to check the graph; the second uses the verdict."""
    command = [sys.executable, "-c", LOAD, folder]
    runs = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)]

    assert runs == [b"True\n", b"False\n"]


def test_a_changed_file_is_checked_again(folder, checks):
    """The verdict belongs to the bytes of the file; a refusal is not cached."""
    model_integrity.check_model(folder)
    model_integrity.check_model(folder)
    assert len(checks) == 1

    hostile.change_graph(folder, "a trillion zeros")
    for count in (2, 3):
        with pytest.raises(UserError, match="uses the operator"):
            model_integrity.check_model(folder)
        assert len(checks) == count


UNTRUSTED = {
    "world-writable": lambda file: file.parent.chmod(0o777),
    "group-writable": lambda file: file.parent.chmod(0o770),
    "damaged": lambda file: file.write_text("{"),
    "unreadable": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.mark.parametrize("name", [*UNTRUSTED, "of another user"])
def test_an_untrusted_verdict_is_not_used(folder, tmp_path, checks, name, monkeypatch):
    """The file is checked again, and the cache's state is no error."""
    manifest = model_integrity.check_model(folder)
    (verdict,) = (tmp_path / "cache/digits/onnx").iterdir()
    verdict.write_text('{"classes": "forged"}')
    if name in UNTRUSTED:
        UNTRUSTED[name](verdict)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 12345)

    assert model_integrity.check_model(folder) == manifest
    assert len(checks) == 2


def test_models_are_checked_without_a_cache_folder(folder, tmp_path, monkeypatch):
    """A user without a home, and a cache that cannot be made; the working directory stays empty."""
    monkeypatch.chdir((tmp_path / "empty").mkdir() or tmp_path / "empty")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    assert model_integrity.check_model(folder)

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert model_integrity.check_model(folder)
    assert list(Path().iterdir()) == []
