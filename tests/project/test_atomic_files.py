"""Files are whole or absent, and a manifest notices every change."""

import errno

import pytest

from digits.inference import model_manifest
from digits.project import atomic_files, workspace
from digits.project.errors import UserError


def fill_and_fail(writing, error):
    """Write half of something, then fail."""
    with writing as partial:
        (partial / "a" if partial.is_dir() else partial).write_bytes(b"half")
        raise error


def test_a_failed_write_leaves_the_old_file(tmp_path):
    """When writing fails, the file is as before and nothing else is left."""
    path = tmp_path / "a.txt"
    atomic_files.write_bytes(path, b"old")

    with pytest.raises(OSError, match="full"):
        fill_and_fail(atomic_files.atomic_file(path), OSError(errno.ENOSPC, "full"))

    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_bytes() == b"old"


def test_a_failed_folder_leaves_the_old_folder(tmp_path):
    """When filling a folder fails, the one before stays, complete."""
    folder = tmp_path / "model"
    with atomic_files.atomic_folder(folder) as partial:
        (partial / "a").write_bytes(b"old")

    with pytest.raises(KeyboardInterrupt):
        fill_and_fail(atomic_files.atomic_folder(folder), KeyboardInterrupt())

    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert (folder / "a").read_bytes() == b"old"


def test_what_a_killed_writer_left_is_replaced(tmp_path):
    """A partial folder of a killed process does not get into the next one."""
    (tmp_path / ".model.partial").mkdir()
    (tmp_path / ".model.partial/stale").touch()

    with atomic_files.atomic_folder(tmp_path / "model") as partial:
        (partial / "a").touch()

    assert [p.name for p in (tmp_path / "model").iterdir()] == ["a"]


@pytest.fixture
def model(tmp_path):
    """A folder with two files and their manifest."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_bytes(b"one")
    (folder / "b").write_bytes(b"two")
    model_manifest.write_manifest(folder, {"run_id": "1"})
    return folder


def test_the_content_hash_is_that_of_the_files_alone(model):
    """Equal files have equal content hashes, whatever else the manifest says."""
    before = model_manifest.check_files(model)["content_sha256"]

    model_manifest.write_manifest(model, {"run_id": "2"})
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


def test_home_is_the_original_checkout_of_an_experiment(tmp_path, monkeypatch):
    """In the copy that `dvc exp run --temp` works in, home is where it was started."""
    copy = tmp_path / ".dvc/tmp/exps/tmp12"
    copy.mkdir(parents=True)
    for folder in (tmp_path, copy):
        (folder / "dvc.yaml").touch()
    monkeypatch.chdir(copy)

    assert workspace.checkout_root() == copy
    assert workspace.state_root() == tmp_path
