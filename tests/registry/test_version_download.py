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
from digits.tracking import tracking_store
from tests import sealed

FILES = sorted(model_integrity.MODEL_FILES)


def artifacts(folder, number):
    """Where the registry of a project keeps the files of a version."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        query = "SELECT storage_location FROM model_versions WHERE version = ?"
        return Path(database.execute(query, [number]).fetchone()[0])


def kept():
    """What lies in .state/models."""
    return sorted(
        p.name for p in version_download.cached_folder("x").parent.glob("[!.]*") if p.is_dir()
    )


def refusal(reference="champion"):
    """The sentence with which a version is refused."""
    with pytest.raises(UserError) as refused:
        version_download.download_reference(reference)
    told = str(refused.value)
    assert "\n" not in told
    return told


def test_a_version_is_fetched_once_by_any_of_its_names(versions):
    """Alias, number and run give the same folder, whose bytes are those that were registered."""
    run_id = model_manifest.check_files(versions / "model-2")["run_id"]
    folders = {
        version_download.download_reference(name)[0] for name in ("champion", "2", "02", run_id)
    }

    (folder,) = folders
    for name in FILES:
        assert (folder / name).read_bytes() == (versions / "model-2" / name).read_bytes()
    assert kept() == [folder.name]
    shutil.rmtree(artifacts(versions, 2))
    assert version_download.download_reference("champion")[0] == folder  # nothing more to fetch


def test_a_damaged_copy_is_fetched_anew(versions):
    """Somebody changed the kept copy: it is never handed out."""
    folder = version_download.download_reference("champion")[0]
    (folder / "model.onnx").write_bytes(b"changed")

    assert model_integrity.check_model(version_download.download_reference("champion")[0])


@pytest.mark.parametrize("name", ["champoin", "3", "-1", "", "../2", "f" * 32, "models:/digits/2"])
def test_what_is_no_version_is_told_with_what_there_is(versions, name):
    """One line that names near versions; nothing is fetched."""
    told = refusal(name)

    assert "no version" in told
    assert "choose one of" in told
    assert kept() == []


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
@pytest.mark.parametrize("tamper", TAMPERING)
def test_a_file_changed_in_the_registry_is_refused(versions, tamper, name):
    """Every way of changing one file; the model that was there before stays."""
    before = version_download.download_reference("1")[0]
    TAMPERING[tamper](artifacts(versions, 2) / name, artifacts(versions, 1))

    refusal()

    assert kept() == [before.name]
    assert model_integrity.check_model(before)


def test_the_run_in_the_manifest_is_confirmed(versions):
    """The one part of a manifest that its hashes leave out."""
    path = artifacts(versions, 2) / model_manifest.MANIFEST
    run_id = atomic_files.read_json(path)["run_id"]
    path.write_text(path.read_text().replace(run_id, run_id[::-1]))

    assert "its manifest names the run" in refusal()


@pytest.mark.parametrize(
    "name", ["evil.pkl", "python_model.pkl", "evil.py", ".hidden", "code/x.py"]
)
def test_a_file_too_many_in_the_registry_is_refused(versions, name):
    """A file that nobody registered is never fetched, and its version not used."""
    path = artifacts(versions, 2) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("import os\n")

    assert "does not belong there" in refusal()
    assert kept() == []


def test_an_older_version_in_the_place_of_a_newer_is_refused(versions):
    """All files of version 1, which fit each other, under the number 2."""
    older, newer = (artifacts(versions, number) for number in (1, 2))
    shutil.rmtree(newer)
    shutil.copytree(older, newer)

    assert "it is not what was registered" in refusal()


CONTENT = "DELETE FROM model_version_tags WHERE key = 'content_sha256' AND version = 2"
REWRITE = "UPDATE model_version_tags SET value = ? WHERE key = 'content_sha256' AND version = 2"
OLDER = "SELECT {} FROM model_versions WHERE version = 1"
EDITS = {
    "no hash": [CONTENT],
    "another hash": [REWRITE.replace("?", f"'{'0' * 64}'")],
    "a path as hash": [REWRITE.replace("?", "'../../../evil'")],
    "the hash of version 1": [
        "UPDATE model_version_tags SET value = (SELECT value FROM model_version_tags "
        "WHERE key = 'content_sha256' AND version = 1) WHERE key = 'content_sha256'"
    ],
    "the files of version 1": [
        f"UPDATE model_versions SET storage_location = ({OLDER.format('storage_location')}), "
        f"source = ({OLDER.format('source')}) WHERE version = 2"
    ],
    "files that are nowhere": ["UPDATE model_versions SET storage_location = '/nowhere/at/all'"],
    "files in /etc": ["UPDATE model_versions SET storage_location = '/etc'"],
    "files of a server": ["UPDATE model_versions SET storage_location = 'http://127.0.0.1:9/x'"],
    "files of a strange kind": ["UPDATE model_versions SET storage_location = 'evil://x/y'"],
    "no runs": ["DELETE FROM model_version_tags WHERE key LIKE 'run.%'"],
    "an alias of nothing": ["UPDATE registered_model_aliases SET version = 9"],
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_registry_is_refused(versions, name):
    """Rows of the database changed by hand; nothing is kept."""
    with sqlite3.connect(versions / "mlflow.db") as database:
        for statement in EDITS[name]:
            database.execute(statement)

    refusal()

    assert kept() == []


def test_an_old_model_under_a_new_number_is_refused(versions):
    """A third version that is the first again, hash and files and all; the first stays good."""
    first, client = (
        registration.list_versions(tracking_store.current_store(), "digits")[-1],
        tracking_store.embedded_store().client,
    )
    source = client.get_model_version("digits", "1").source
    with registration._as_default_store(first.store):
        client.create_model_version("digits", source, first.run_id, dict(first.tags))
    client.set_registered_model_alias("digits", "champion", "3")

    assert "its files are those of version 1" in refusal()
    assert model_integrity.check_model(version_download.download_reference("1")[0])


@pytest.fixture
def served(server, project):
    """Two versions on a real server, the second one champion; the name is of this test alone."""
    text = (sealed.ROOT / "params.yaml").read_text()
    name = os.environ["MLFLOW_EXPERIMENT_NAME"]
    (project / "params.yaml").write_text(text.replace("name: digits ", f"name: {name} "))
    found = [sealed.publish(project / f"model-{seed}", seed, name) for seed in (1, 2)]
    found[1].store.client.set_registered_model_alias(name, "champion", "2")
    return found


def test_without_its_server_what_was_fetched_is_still_here(served, project, server, capsys):
    """The registered bytes; then the last meaning of a name counts, which is told, and no other."""
    folder = version_download.download_reference("champion")[0]
    for name in FILES:
        assert (folder / name).read_bytes() == (project / "model-2" / name).read_bytes()
    server.kill()

    assert version_download.download_reference("champion")[0] == folder
    assert "champion is version 2 as of" in capsys.readouterr().err
    assert "does not answer" in refusal("1")
    (folder / "weights.pt").write_bytes(b"changed")
    assert "does not answer" in refusal()


def test_the_own_store_does_not_stand_in_for_a_server(nobody, versions, monkeypatch):
    """Version 2 of this checkout is not the server's version 2."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", nobody)
    assert "does not answer" in refusal("2")
