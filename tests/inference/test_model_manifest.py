"""A manifest describes exactly the files of its model, and every change is noticed."""

import pytest

from digits.inference import model_manifest
from digits.project.errors import UserError


@pytest.fixture
def model(tmp_path):
    """A folder with two files and their manifest."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_bytes(b"one")
    (folder / "b").write_bytes(b"two")
    model_manifest.write_manifest(folder, {"run_id": "1" * 32})
    return folder


def test_the_content_hash_is_that_of_the_files_alone(model):
    """Equal files have equal content hashes, whatever else the manifest contains."""
    before = model_manifest.check_files(model)["content_sha256"]

    model_manifest.write_manifest(model, {"run_id": "2" * 32})
    assert model_manifest.check_files(model)["content_sha256"] == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: (m / "a").write_bytes(b"0ne"), "a differs from its manifest"),
        (lambda m: (m / "a").unlink(), "a is missing"),
        (lambda m: (m / "c").touch(), "c is not in its manifest"),
        (lambda m: (m / "manifest.json").write_text("{"), "is not valid JSON"),
        (lambda m: (m / "manifest.json").write_text("[]"), "holds a list"),
        (lambda m: (m / "manifest.json").write_text("{}"), "does not match itself"),
        (lambda m: (m / "manifest.json").unlink(), "No such file"),
    ],
)
def test_a_manifest_notices_every_change(model, change, words):
    """A changed, missing or extra file, or a changed manifest, is named."""
    model_manifest.check_files(model)
    change(model)

    with pytest.raises(UserError, match=words):
        model_manifest.check_files(model)
