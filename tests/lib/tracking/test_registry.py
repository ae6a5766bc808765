"""Versions: one for the same bytes, with lineage, loadable by their alias."""

import threading

import numpy as np
import pytest

from stages.lib import files
from stages.lib.tracking import journal, registry, runs, store

LINEAGE = {"resume": None, "params": {}, "inputs": {"train.npz": "ab"}, "code": {}}


def better(candidate, champion):
    """Promote a higher validation accuracy."""
    if champion is None or candidate.validation_accuracy > champion.validation_accuracy:
        return "champion"
    return "challenger"


@pytest.fixture
def trained(make_model, example):
    """A function: accuracy -> a registered version of a new model with that accuracy."""

    def train(accuracy):
        folder = make_model(f"model-{accuracy}", accuracy)
        with runs.training_run("mlp", **LINEAGE) as run:
            run.log_model(folder, example, {"validation_accuracy": accuracy}, 1)
        metrics = {"validation_accuracy": accuracy, "test_accuracy": accuracy - 0.01}
        return registry.register(
            "m", folder, run_id=run.id, content_hash=f"hash {accuracy}", metrics=metrics
        )

    return train


def test_the_same_bytes_are_one_version(project, trained, make_model):
    """Registering equal content again changes tags of the version and makes no other."""
    first = trained(0.9)
    again = registry.register(
        "m",
        make_model(),
        run_id=first.run_id,
        content_hash=first.content_sha256,
        metrics={"test_accuracy": 0.5},
    )
    assert (first.number, again.number) == (1, 1)
    assert (first.test_accuracy, again.test_accuracy) == (0.89, 0.5)
    assert again.validation_accuracy == 0.9
    assert registry.find_in(first.store, "m", first.content_sha256) == again
    assert registry.find_in(first.store, "m", "other") is None


def test_a_version_tells_of_the_first_run_and_of_all(project, trained, make_model, monkeypatch):
    """Rebuilt in another run, a version keeps its lineage and names both runs."""
    first = trained(0.9)
    monkeypatch.setenv("DVC_EXP_NAME", "second")
    with runs.training_run("mlp", **LINEAGE) as run:
        pass
    again = registry.register(
        "m", make_model(), run_id=run.id, content_hash=first.content_sha256, metrics={}
    )
    assert again.run_id == first.run_id
    assert "dvc.experiment" not in again.tags
    made_by = {k for k in again.tags if k.startswith(registry.MADE_BY)}
    assert made_by == {f"{registry.MADE_BY}{i}" for i in (first.run_id, run.id)}


def test_registering_at_once_makes_one_version(project, trained, make_model):
    """Registering the same content twice at once makes one version."""
    run_id, folder = trained(0.9).run_id, make_model()
    made = []

    def register():
        found = registry.register("n", folder, run_id=run_id, content_hash="x", metrics={})
        made.append(found.number)

    threads = [threading.Thread(target=register) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1, 1]
    assert len(registry.versions("n")) == 1


def test_versions_have_lineage_and_aliases(project, trained):
    """A version says where it comes from; the better one is champion, the newest listed first."""
    aliases = [registry.promote(trained(a), better) for a in (0.9, 0.95, 0.93)]
    assert aliases == ["champion", "champion", "challenger"]
    newest, best, oldest = registry.versions("m")
    assert [v.number for v in (newest, best, oldest)] == [3, 2, 1]
    assert (newest.aliases, best.aliases, oldest.aliases) == (("challenger",), ("champion",), ())
    assert registry.champion("m") == best
    assert best.tags["input.train.npz"] == "ab"
    assert (best.commit, best.test_accuracy) == ("no commit", 0.94)
    assert store.embedded().client.get_run(best.run_id).info.run_name == "mlp"


def test_a_champion_stays_one_when_rebuilt(project, trained):
    """Registering the champion's bytes again does not make it its own challenger."""
    version = trained(0.9)
    registry.promote(version, better)
    assert registry.promote(version, lambda _candidate, _champion: "challenger") == "champion"


def test_nothing_registered_is_no_error(project):
    """Before the first version there is no champion and an empty list."""
    assert registry.champion("m") is None
    assert registry.versions("m") == []


def test_the_champion_loads_and_predicts(project, trained, predict):
    """The alias loads as MLflow's generic model, for each size of batch; it knows its input."""
    registry.promote(trained(0.5), better)
    for n in (1, 3):
        logits = predict("models:/m@champion", np.zeros((n, 28, 28), np.uint8))
        np.testing.assert_allclose(logits, np.full((n, 10), 0.5))
    with pytest.raises(Exception, match="shape"):
        predict("models:/m@champion", np.zeros((1, 14, 14), np.uint8))


def test_a_model_without_its_run_can_be_registered(project, make_model, client):
    """When no store has the run, the model is logged from its folder, in a run that says so."""
    lost = "f" * 32
    version = registry.register("m", make_model(), run_id=lost, content_hash="x", metrics={})
    run = client.get_run(version.run_id)
    assert run.data.tags[journal.CONTINUES] == lost
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


def test_a_server_that_dies_leaves_a_version_here(server, make_model, example, monkeypatch, capfd):
    """When registering fails half-way on the server, the version is made here, to be sent."""
    folder = make_model()
    with runs.training_run("r", **LINEAGE) as run:
        run.log_model(folder, example)
    create = registry._create

    def dying(name, target, model_id, tags):
        if not target.store.embedded:
            raise ConnectionError("the network is gone")
        return create(name, target, model_id, tags)

    monkeypatch.setattr(registry, "_create", dying)
    version = registry.register("m", folder, run_id=run.id, content_hash="x", metrics={})
    assert version.store.embedded
    assert version.tags[journal.UNSENT] == "true"
    assert "digits send" in capfd.readouterr().err


def test_on_a_server_it_is_the_same(server, trained, make_model):
    """Runs, models, versions and aliases live on the configured server."""
    version = trained(0.9)
    registry.promote(version, better)
    again = trained_again(version, make_model)
    assert not version.store.embedded
    assert again.number == version.number
    assert registry.champion("m").validation_accuracy == 0.9
    assert not (files.home() / "mlartifacts").exists()


def trained_again(version, make_model):
    """Register the same content once more."""
    return registry.register(
        version.name,
        make_model("again", 0.9),
        run_id=version.run_id,
        content_hash=version.content_sha256,
        metrics={},
    )


def test_runs_from_before_the_server_keep_their_versions(
    project, trained, shared_server, monkeypatch
):
    """A run made here is registered here and marked to be sent, when a server came meanwhile."""
    first = trained(0.9)
    shared_server.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared_server.uri)
    version = registry.register(
        "only-here", project.parent / "model-0.9", run_id=first.run_id, content_hash="x", metrics={}
    )
    with runs.resume_run(first.run_id) as run:
        run.log_metrics({"test_accuracy": 0.9})
    assert version.store.embedded
    assert run.id == first.run_id
    assert [v.tags[journal.UNSENT] for v in registry.versions("only-here")] == ["true"]
