"""Versions: one for the same bytes, with lineage, loadable by their alias."""

from concurrent.futures import ThreadPoolExecutor

from stages.lib.tracking import find, registry, runs, store
from tests.lib.tracking.conftest import LINEAGE


def test_the_same_bytes_are_one_version(project, trained, make_model, monkeypatch):
    """Rebuilt in another run, a version gets its numbers, keeps its lineage, names both runs."""
    first = trained(0.9)
    monkeypatch.setenv("DVC_EXP_NAME", "second")
    with runs.training_run("mlp", **LINEAGE) as run:
        pass
    facts = {"content_hash": first.content_sha256, "metrics": {"test_accuracy": 0.5}}
    again = registry.register("m", make_model(), run_id=run.id, **facts)
    assert (first.number, again.number) == (1, 1)
    assert (first.share("test_accuracy"), again.share("test_accuracy")) == (0.89, 0.5)
    assert again.share("validation_accuracy") == 0.9
    assert registry.find_in(first.store, "m", first.content_sha256) == again
    assert registry.find_in(first.store, "m", "other") is None
    assert again.run_id == first.run_id
    assert "dvc.experiment" not in again.tags
    made_by = {k for k in again.tags if k.startswith(registry.MADE_BY)}
    assert made_by == {f"{registry.MADE_BY}{i}" for i in (first.run_id, run.id)}


def test_registering_at_once_makes_one_version(project, trained, make_model):
    """Registering the same content twice at once makes one version."""
    run_id, folder = trained(0.9).run_id, make_model()

    def register(_):
        found = registry.register("n", folder, run_id=run_id, content_hash="x", metrics={})
        return found.number

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(register, range(2))) == [1, 1]
    assert len(registry.all_in(store.connect(), "n")) == 1


def test_a_model_without_its_run_can_be_registered(project, make_model, client):
    """When no store has the run, the model is logged from its folder, in a run that says so."""
    lost = "f" * 32
    version = registry.register("m", make_model(), run_id=lost, content_hash="x", metrics={})
    run = client.get_run(version.run_id)
    assert run.data.tags[find.LOCAL] == lost
    assert run.info.status == "FINISHED"
    assert version.commit == "unknown"


def test_a_run_without_its_model_gets_it(project, make_model, example):
    """A version has the bytes of its folder even where the run logged others."""
    with runs.training_run("r", **LINEAGE) as run:
        run.log_model(make_model("old", 1.0), example)
    version = registry.register(
        "m", make_model("new", 2.0), run_id=run.id, content_hash="x", metrics={}
    )
    outputs = version.store.client.get_run(run.id).outputs.model_outputs
    source = version.store.client.get_model_version("m", "1").source
    assert len(outputs) == 2
    assert source in {f"models:/{o.model_id}" for o in outputs}


def test_runs_from_before_the_server_get_their_versions_on_it(
    project, trained, shared_server, monkeypatch
):
    """A run stands in there for one that was made here, with its lineage and its model."""
    first = trained(0.9)
    shared_server.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared_server.uri)
    with runs.resume_run(first.run_id) as run:
        run.log_metrics({"test_accuracy": 0.9})
    version = registry.register(
        "only-here", project.parent / "model-0.9", run_id=first.run_id, content_hash="x", metrics={}
    )
    assert not version.store.embedded
    assert version.tags["input.train.npz"] == "ab"
    found = version.store.client.get_run(version.run_id)
    assert (found.info.status, found.data.tags[find.LOCAL]) == ("FINISHED", first.run_id)
    assert found.data.metrics["test_accuracy"] == 0.9
