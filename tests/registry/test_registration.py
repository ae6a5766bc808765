"""Versions: one for the same bytes, with lineage, loadable by their alias."""

from concurrent.futures import ThreadPoolExecutor

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

from digits.registry import registration
from digits.tracking import run_lookup, runs
from tests.registry.conftest import list_versions, register
from tests.stores import LINEAGE


def test_the_same_bytes_are_one_version(project, trained, make_model, monkeypatch):
    """Rebuilt in another run, a version gets its numbers, keeps its lineage, names both runs."""
    first = trained(0.9)
    monkeypatch.setenv("DVC_EXP_NAME", "second")
    with runs.tracked_run("mlp", **LINEAGE) as run:
        pass
    again = register("m", make_model(), run.id, first.content_sha256, test_accuracy=0.5)
    assert (first.number, again.number) == (1, 1)
    assert (first.metric("test_accuracy"), again.metric("test_accuracy")) == (0.89, 0.5)
    assert again.metric("validation_accuracy") == 0.9
    assert registration.find_by_content(first.store, "m", first.content_sha256) == again
    assert registration.find_by_content(first.store, "m", "other") is None
    assert again.run_id == first.run_id
    assert "dvc.experiment" not in again.tags
    made_by = {k for k in again.tags if k.startswith(registration.RUN_TAG_PREFIX)}
    assert made_by == {f"{registration.RUN_TAG_PREFIX}{i}" for i in (first.run_id, run.id)}


def test_registering_at_once_makes_one_version(project, trained, make_model):
    """Registering the same content twice at once makes one version."""
    run_id, folder = trained(0.9).run_id, make_model()

    def number(_):
        return register("n", folder, run_id).number

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(number, range(2))) == [1, 1]
    assert len(list_versions("n")) == 1


def test_registering_at_once_from_two_checkouts_makes_one_version(
    project, trained, make_model, monkeypatch
):
    """The one that comes second removes its own, and goes on with the other's."""
    run_id, folder, create = trained(0.9).run_id, make_model(), registration._create

    def late(*arguments):
        monkeypatch.setattr(registration, "_create", create)
        create(*arguments)  # by the other checkout, between the search and the creation
        return create(*arguments)

    monkeypatch.setattr(registration, "_create", late)
    assert register("n", folder, run_id, test_accuracy=0.5).number == 1
    assert [v.number for v in list_versions("n")] == [1]


def test_a_run_that_may_not_be_read_is_looked_for_by_its_copy(project, trained, monkeypatch):
    """MLflow's user management answers 403 for a run that a server does not have."""
    version = trained(0.9)
    version.store.client.set_tag(version.run_id, run_lookup.LOCAL_ID_TAG, "e" * 32)

    def refuse(self, run_id):
        raise MlflowException("Permission denied", PERMISSION_DENIED)

    monkeypatch.setattr(MlflowClient, "get_run", refuse)
    found = run_lookup.find_in_store(version.store, "e" * 32)
    assert found.run_id == version.run_id


def test_a_model_without_its_run_can_be_registered(project, make_model, client):
    """When no store has the run, the model is logged from its folder, in a run that says so."""
    lost = "f" * 32
    version = register("m", make_model(), lost)
    run = client.get_run(version.run_id)
    assert run.data.tags[run_lookup.LOCAL_ID_TAG] == lost
    assert run.info.status == "FINISHED"
    assert version.commit == "unknown"


def test_a_run_without_its_model_gets_it(project, make_model, example):
    """A version has the bytes of its folder even where the run logged others."""
    with runs.tracked_run("r", **LINEAGE) as run:
        run.log_model(make_model("old", 1.0), example)
    version = register("m", make_model("new", 2.0), run.id)
    outputs = version.store.client.get_run(run.id).outputs.model_outputs
    source = version.store.client.get_model_version("m", "1").source
    assert len(outputs) == 2
    assert source in {f"models:/{o.model_id}" for o in outputs}


def test_runs_from_before_the_server_get_their_versions_on_it(project, trained, request):
    """A run stands in there for one that was made here, with its lineage and its model."""
    first = trained(0.9)
    request.getfixturevalue("team")
    with runs.reopen_run(first.run_id) as run:
        run.log_metrics({"test_accuracy": 0.9})
    version = register("only-here", project.parent / "model-0.9", first.run_id)
    assert not version.store.embedded
    assert version.tags["input.train.npz"] == "ab"
    run = version.store.client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags[run_lookup.LOCAL_ID_TAG] == first.run_id
    assert run.data.metrics["test_accuracy"] == 0.9
