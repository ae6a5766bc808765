"""`digits verify MODEL` checks one model alone."""

import io
import sys

from digits.inference import model_manifest
from tests import sealed
from tests.cli.test_main import refusal, run
from tests.registry.test_verification import damage


def test_a_whole_folder_is_ok_and_a_changed_byte_is_named(tmp_path, capsys):
    """Status 0 and the content hash; else status 2 and one line."""
    folder = sealed.seal(tmp_path / "model")
    content = model_manifest.load_manifest(folder / model_manifest.MANIFEST)["content_sha256"]

    assert run("verify", folder) == 0
    assert capsys.readouterr().out == f"{folder}  ok  {content[:12]}\n"
    damage(folder / "model.onnx")
    assert f"{folder}/model.onnx" in refusal(capsys, "verify", folder)


def test_text_that_the_terminal_cannot_show_is_escaped(tmp_path, monkeypatch):
    """A terminal of ASCII alone shows escapes for a name of another script."""
    monkeypatch.chdir(tmp_path)
    sealed.seal(tmp_path / "семь")
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)

    assert run("verify", "./семь") == 0
    assert stdout.buffer.getvalue().startswith(rb"./\u0441\u0435\u043c\u044c  ok")
