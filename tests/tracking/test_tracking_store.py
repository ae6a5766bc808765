"""The embedded store: created once, corrected when it was moved, and never shared by copies."""

import sqlite3
import subprocess
from contextlib import closing
from importlib import metadata

import pytest

from digits.project.errors import UserError
from digits.registry import registration
from digits.tracking import logged_model, runs, tracking_store
from digits.tracking.tracking_store import StoreUnavailableError
from tests.stores import NOTHING

# Forked after the import, which takes seconds, so that all six come at the same moment.
SIX = """
import os
import mlflow.store.tracking.sqlalchemy_store
from digits.tracking import runs
for _ in range(6):
    if os.fork() == 0:
        with runs.tracked_run("r", resume=None, params={}, inputs={}, code={}) as run:
            run.log_epoch(1, {"x": 1.0})
        os._exit(0)
print([os.wait()[1] for _ in range(6)])
"""


def test_six_processes_may_create_the_store(bare_project, python):
    """Six that find what a killed first use left behind at once all get their run into the store.

    Before, the file is empty, and half a database is beside it.
    """
    (bare_project / "mlflow.db").touch()
    (bare_project / ".mlflow.db.partial").write_bytes(b"half a database")
    assert python(SIX).communicate(timeout=120) == (f"{[0] * 6}\n", "")
    store = tracking_store.embedded_store()
    assert store.client.get_experiment(store.experiment).name == tracking_store.EXPERIMENT
    stored = store.client.search_runs([store.experiment])
    assert [(r.info.status, r.data.metrics["x"]) for r in stored] == [("FINISHED", 1.0)] * 6
    assert not list(bare_project.glob(".*.partial"))


def test_only_the_first_client_of_a_process_searches_the_packages(project, client, monkeypatch):
    """Each search reads the entry points of all packages, 0.05 s, and a verb opens ten clients."""
    monkeypatch.setattr(metadata, "entry_points", None)
    assert tracking_store.embedded_store().client.search_experiments()


def test_a_damaged_store_is_named_with_the_next_step(bare_project):
    """A file that is no database raises a StoreUnavailableError."""
    (bare_project / "mlflow.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnavailableError, match=r"mlflow\.db cannot be used .*mend it or move"):
        _ = tracking_store.current_store().client


def test_a_moved_project_keeps_its_models(project, tmp_path, make_model, example, monkeypatch):
    """After the checkout was renamed, a registered model still loads."""
    folder = make_model()
    with runs.tracked_run("r", **NOTHING) as run:
        run.log_model(folder, example)
    registration.register_version("m", folder, run_id=run.id, content_hash="c", metrics={})
    moved = project.rename(project.with_name("moved"))
    monkeypatch.chdir(moved)

    (version,) = registration.list_versions(tracking_store.current_store(), "m")
    assert logged_model.download_artifact(version.store, "models:/m/1", tmp_path).is_dir()
    with closing(sqlite3.connect(moved / "mlflow.db")) as database:
        assert f"{project}/" not in "".join(database.iterdump())


def test_a_deleted_experiment_is_restored(project, client):
    """Deleting the experiment in the pages does not stop later runs."""
    client.delete_experiment(tracking_store.current_store().experiment)
    with runs.tracked_run("r", **NOTHING) as run:
        pass
    experiment_id = client.get_run(run.id).info.experiment_id
    assert client.get_experiment(experiment_id).lifecycle_stage == "active"


@pytest.mark.parametrize(("name", "rejected"), [("bad*name", True), ("good", False)])
def test_an_error_says_whether_a_later_try_may_work(project, client, name, rejected):
    """A rejected value is a plain UserError; any other failure is a StoreUnavailableError."""
    with pytest.raises(UserError) as caught, tracking_store.translate_errors("the store"):
        client.log_metric("0" * 32, name, 1.0)
    assert isinstance(caught.value, StoreUnavailableError) != rejected
    assert tracking_store.found_or_none(lambda: client.get_run("0" * 32)) is None


def test_a_store_in_a_git_worktree_is_said_to_be_another(project, tmp_path, monkeypatch, capsys):
    """Its first version would be champion of nothing; the line says how to share the other one."""
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run([*git, "init", "-q", project], check=True)
    subprocess.run([*git, "add", "dvc.yaml"], check=True)
    subprocess.run([*git, "commit", "-qm", "first"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", tmp_path / "second"], check=True)
    monkeypatch.chdir(tmp_path / "second")
    _ = tracking_store.embedded_store().client

    error = capsys.readouterr().err
    assert "second is a git worktree and gets a store of its own" in error
    assert f"MLFLOW_TRACKING_URI=sqlite:///{project}/mlflow.db shares the other" in error


def test_a_store_of_another_release_is_named_whole_in_training(project, capsys):
    """What to do is not cut off; the work goes on."""
    with closing(sqlite3.connect(project / "mlflow.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    store = tracking_store.embedded_store()
    assert tracking_store.call_or_warn(store, lambda: store.client.get_run("x")) is None
    assert (
        "another release of MLflow; install that one, or back the store" in capsys.readouterr().err
    )
