"""What comes out of the registry is what went in, or it is refused and nothing is kept."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from digits.inference import model_integrity, model_manifest
from digits.project import atomic_files
from digits.project.errors import UserError
from digits.registry import registration, version_download
from digits.registry.model_reference import resolve
from tests.registry.conftest import embedded_client, list_versions

FILES = sorted(model_integrity.MODEL_FILES)


def artifacts(folder, number):
    """Where the registry of a project keeps the files of a version."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        query = "SELECT storage_location FROM model_versions WHERE version = ?"
        return Path(database.execute(query, [number]).fetchone()[0])


def cached():
    """The folders in .state/models."""
    folders = version_download.cached_folder("x").parent.glob("[!.]*")
    return sorted(folder.name for folder in folders if folder.is_dir())


def refusal(reference="champion"):
    """The sentence with which a version is refused."""
    with pytest.raises(UserError) as refused:
        resolve(reference)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_version_is_downloaded_once_by_any_of_its_names(versions):
    """Alias, number and run give the same folder, whose bytes are those that were registered."""
    run_id = model_manifest.check_files(versions / "model-2")["run_id"]
    (folder,) = {resolve(reference).folder for reference in ("champion", "2", "02", run_id)}

    for name in FILES:
        assert (folder / name).read_bytes() == (versions / "model-2" / name).read_bytes()
    assert cached() == [folder.name]
    shutil.rmtree(artifacts(versions, 2))
    assert resolve("champion").folder == folder  # nothing more to download


def test_a_damaged_copy_is_downloaded_anew(versions):
    """Somebody changed the kept copy: it is never handed out."""
    folder = resolve("champion").folder
    (folder / "model.onnx").write_bytes(b"changed")

    assert model_integrity.check_model(resolve("champion").folder)


def flip(path, _older):
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def replaced(make):
    """Something else in a file's place."""

    def change(path, _older):
        path.unlink()
        make(path)

    return change


TAMPERING = {
    "flipped": flip,
    "truncated": lambda path, _older: os.truncate(path, path.stat().st_size - 1),
    "of the version before": lambda path, older: shutil.copy(older / path.name, path),
    "gone": lambda path, _older: path.unlink(),
    "a link to a device": replaced(lambda path: path.symlink_to("/dev/zero")),
    "a pipe": replaced(os.mkfifo),
    "a folder": replaced(Path.mkdir),
    "a terabyte": lambda path, _older: os.truncate(path, 1 << 40),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_changed_in_the_registry_is_refused(versions, tmp_path, name):
    """Every way of changing one file; the model that was there before stays."""
    before, place = resolve("1").folder, artifacts(versions, 2)
    intact = shutil.copytree(place, tmp_path / "intact")
    for what, tamper in TAMPERING.items():
        tamper(place / name, artifacts(versions, 1))
        refusal()
        assert cached() == [before.name], what
        shutil.rmtree(place)
        shutil.copytree(intact, place)

    assert model_integrity.check_model(before)
    assert resolve("2").version == 2


def test_the_run_in_the_manifest_is_confirmed(versions):
    """The one part of a manifest that its hashes leave out."""
    path = artifacts(versions, 2) / model_manifest.MANIFEST
    run_id = atomic_files.read_json(path)["run_id"]
    path.write_text(path.read_text().replace(run_id, run_id[::-1]))

    assert "its manifest names the run" in refusal()


@pytest.mark.parametrize("name", ["evil.pkl", ".hidden", "code/x.py"])
def test_a_file_too_many_in_the_registry_is_refused(versions, name):
    """A file that nobody registered is never downloaded, and its version not used."""
    path = artifacts(versions, 2) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("import os\n")

    assert "does not belong there" in refusal()
    assert cached() == []


def test_an_older_version_in_the_place_of_a_newer_is_refused(versions):
    """All files of version 1, which fit each other, under the number 2."""
    older, newer = (artifacts(versions, number) for number in (1, 2))
    shutil.rmtree(newer)
    shutil.copytree(older, newer)

    assert "it is not what was registered" in refusal()


CONTENT = "DELETE FROM model_version_tags WHERE key = 'content_sha256' AND version = 2"
REWRITE = "UPDATE model_version_tags SET value = ? WHERE key = 'content_sha256' AND version = 2"
EDITS = {
    "no hash": CONTENT,
    "another hash": REWRITE.replace("?", f"'{'0' * 64}'"),
    "a path as hash": REWRITE.replace("?", "'../../../evil'"),
    "files that are nowhere": "UPDATE model_versions SET storage_location = '/nowhere/at/all'",
    "files in /etc": "UPDATE model_versions SET storage_location = '/etc'",
    "files of a server": "UPDATE model_versions SET storage_location = 'http://127.0.0.1:9/x'",
    "files of a strange kind": "UPDATE model_versions SET storage_location = 'evil://x/y'",
    "no runs": "DELETE FROM model_version_tags WHERE key LIKE 'run.%'",
    "an alias of nothing": "UPDATE registered_model_aliases SET version = 9",
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_registry_is_refused(versions, name):
    """Rows of the database changed by hand; nothing is kept."""
    with sqlite3.connect(versions / "mlflow.db") as database:
        database.execute(EDITS[name])

    refusal()

    assert cached() == []


def test_an_old_model_under_a_new_number_is_refused(versions):
    """A third version that is the first again, hash and files and all; the first stays good."""
    first, client = list_versions()[-1], embedded_client()
    source = client.get_model_version("digits", "1").source
    with registration._as_default_store(first.store):
        client.create_model_version("digits", source, first.run_id, dict(first.tags))
    client.set_registered_model_alias("digits", "champion", "3")

    assert "its files are those of version 1" in refusal()
    assert model_integrity.check_model(resolve("1").folder)
