"""Verdicts on ONNX files are cached, and a cache that others could have written is not used."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from digits.inference import model_integrity, onnx_check
from digits.project.errors import UserError
from tests import hostile, sealed

LOAD = "import sys, pathlib; from digits.inference import classifier"
LOAD += "; classifier.load(pathlib.Path(sys.argv[1])); print('onnx' in sys.modules)"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model, and an empty cache folder at `cache` beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return sealed.seal(tmp_path / "model")


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


def test_a_changed_file_is_checked_again(folder, tmp_path, checks):
    """The verdict belongs to the bytes of the file; a refusal is not cached."""
    model_integrity.check_model(folder)
    model_integrity.check_model(folder)
    assert len(checks) == 1

    hostile.GRAPHS["a trillion zeros"](folder, tmp_path)
    sealed.reseal(folder)
    for count in (2, 3):
        with pytest.raises(UserError, match="uses the operator"):
            model_integrity.check_model(folder)
        assert len(checks) == count


UNTRUSTED = {
    "world-writable": lambda file: file.parent.chmod(0o777),
    "group-writable": lambda file: file.parent.chmod(0o770),
    "damaged": lambda file: file.write_text("{"),
    "not an object": lambda file: file.write_text("[]"),
    "unreadable": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.mark.parametrize("name", UNTRUSTED)
def test_an_untrusted_verdict_is_not_used(folder, tmp_path, checks, name):
    """The file is checked again, and the cache's state is no error."""
    manifest = model_integrity.check_model(folder)
    (verdict,) = (tmp_path / "cache/digits/onnx").iterdir()
    verdict.write_text('{"classes": "forged"}')
    UNTRUSTED[name](verdict)

    assert model_integrity.check_model(folder) == manifest
    assert len(checks) == 2


def test_a_verdict_in_the_folder_of_another_user_is_not_used(folder, checks, monkeypatch):
    """The owner of the cache folder must be the user of the process."""
    model_integrity.check_model(folder)
    monkeypatch.setattr(os, "getuid", lambda: 12345)

    model_integrity.check_model(folder)
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
