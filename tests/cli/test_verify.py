"""`digits verify MODEL` checks one model alone."""

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
