"""The embedded store: made once, mended when moved, used when a server is gone."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from digits.project.errors import UserError
from digits.registry import registration
from digits.tracking import logged_model, runs, tracking_store

# Forked after the import, which takes seconds, so that all six come at the same moment.
SIX = """
import os
from stages.lib.tracking import database
database.quiet()
import mlflow.store.tracking.sqlalchemy_store
from stages.lib.tracking import runs
children = []
for number in range(6):
    child = os.fork()
    if child == 0:
        with runs.training_run("r", resume=None, params={}, inputs={}, code={}) as run:
            run.log_epoch(1, {"x": 1.0})
        os._exit(0)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children])
"""


def test_six_processes_may_be_first(bare_project, python):
    """Six processes that open the same missing store at once all get their run into it."""
    assert python(SIX).communicate(timeout=120) == (f"{[0] * 6}\n", "")
    where = tracking_store.embedded_store()
    found = where.client.search_runs([where.experiment])
    assert [r.info.status for r in found] == ["FINISHED"] * 6
    assert [r.data.metrics["x"] for r in found] == [1.0] * 6
    assert not list(bare_project.glob(".*.partial"))


def test_a_half_made_store_is_made_anew(bare_project):
    """What a killed first use left behind, also an empty file, does no harm."""
    (bare_project / "mlflow.db").touch()
    (bare_project / ".mlflow.db.partial").write_bytes(b"half a database")
    where = tracking_store.current_store()
    assert where.embedded
    assert where.client.get_experiment(where.experiment).name == tracking_store.EXPERIMENT


def test_a_damaged_store_is_a_sentence(bare_project):
    """A file that is no database is named, with what to do."""
    (bare_project / "mlflow.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(UserError, match=r"mlflow\.db cannot be used .*mend it or move it away"):
        _ = tracking_store.current_store().client


def test_a_moved_project_keeps_its_models(project, tmp_path, make_model, example, monkeypatch):
    """After the checkout was renamed, a registered model still loads."""
    folder = make_model()
    with runs.tracked_run("r", resume=None, params={}, inputs={}, code={}) as run:
        run.log_model(folder, example)
    registration.register_version("m", folder, run_id=run.id, content_hash="c", metrics={})
    moved = project.rename(project.with_name("moved"))
    monkeypatch.chdir(moved)

    (version,) = registration.list_versions(tracking_store.current_store(), "m")
    assert logged_model.download_artifact(
        version.store, f"models:/m/{version.number}/model.onnx", tmp_path
    ).is_file()
    with closing(sqlite3.connect(moved / "mlflow.db")) as database:
        assert f"{project}/" not in "".join(database.iterdump())


def test_a_copy_keeps_its_files_to_itself(project, tmp_path, monkeypatch):
    """A copied checkout writes artifacts below itself, not into the original."""
    _ = tracking_store.current_store().experiment
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    monkeypatch.chdir(copy)
    where = tracking_store.current_store()
    location = where.client.get_experiment(where.experiment).artifact_location
    assert location == f"{copy}/mlartifacts/digits"


def test_a_deleted_experiment_comes_back(project, client):
    """Deleting the experiment in the pages does not stop later runs."""
    client.delete_experiment(tracking_store.current_store().experiment)
    with runs.tracked_run("r", resume=None, params={}, inputs={}, code={}) as run:
        pass
    assert (
        client.get_experiment(client.get_run(run.id).info.experiment_id).lifecycle_stage == "active"
    )
