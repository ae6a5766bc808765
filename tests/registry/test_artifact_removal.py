"""The files of one version go, and nothing else; they come back with the same bytes."""

import sqlite3

import pytest
from mlflow.artifacts import list_artifacts

from digits.project.errors import UserError
from digits.registry import artifact_removal, registration, send_pending
from digits.registry.model_version import REMOVED_TAG
from digits.tracking import tracking_store
from tests.registry.conftest import list_versions
from tests.stores import NOBODY, better, register_later


def size_on_disk(version):
    """How many bytes the registry hands out for a version."""
    uri = artifact_removal._locate_files(version, artifact_removal.logged_model_id(version))
    files = list_artifacts(artifact_uri=uri, tracking_uri=version.store.uri)
    return sum(file.file_size or 0 for file in files)


def remove(version):
    """Remove the files of a version; whether it was done."""
    model = artifact_removal.logged_model_id(version)
    return artifact_removal.remove_files(version, model, "by anna")


def test_what_is_sent_brings_removed_files_back(project, team, trained, monkeypatch):
    """The same bytes, built again while the server with the pruned version was away."""
    pruned = trained(0.9)
    assert remove(pruned)
    assert size_on_disk(pruned) == 0
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    register_later("m", project.parent / "model-0.9", "0" * 32, pruned.content_sha256)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team.uri)
    send_pending.send_pending(better)

    (back,) = registration.list_versions(pruned.store, "m")
    assert REMOVED_TAG not in back.tags
    assert size_on_disk(back) > 0


def test_a_version_that_got_an_alias_meanwhile_stays(project, trained):
    """Somebody made it champion after it was chosen."""
    version = trained(0.9)
    version.store.client.set_registered_model_alias("m", "champion", "1")

    assert remove(version) is False
    assert REMOVED_TAG not in registration.find_champion(version.store, "m").tags
    assert size_on_disk(version) > 0


def test_an_address_that_was_changed_is_not_followed(project, trained, monkeypatch):
    """Somebody pointed the model at another folder: nothing there is deleted."""
    version = trained(0.9)
    precious = project / "precious"
    precious.mkdir()
    (precious / "thesis").write_text("irreplaceable")
    with sqlite3.connect(project / "mlflow.db") as database:
        database.execute("UPDATE logged_models SET artifact_location = ?", (str(precious),))
    with pytest.raises(UserError, match="which is no folder of that model; nothing was removed"):
        remove(version)

    assert (precious / "thesis").exists()
    assert REMOVED_TAG not in list_versions("m")[0].tags


def test_what_this_project_did_not_make_has_no_model(project):
    """A version of other tools, at whatever address."""
    here = tracking_store.embedded_store()
    here.client.create_registered_model("m")
    here.client.create_model_version("m", "s3://nowhere/model")

    assert artifact_removal.logged_model_id(list_versions("m")[0]) is None
