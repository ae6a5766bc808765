"""An outage loses nothing: the work goes on here and is sent later, once."""

import time
from contextlib import suppress

import pytest

from stages.lib.errors import UserError
from stages.lib.gate import Decision
from stages.lib.tracking import (
    aliases,
    copying,
    find,
    journal,
    outbox,
    promotion,
    registry,
    runs,
    store,
)

NOBODY = "http://127.0.0.1:1"  # nothing listens there
RUN = {"resume": None, "params": {"a": {"b": 1}}, "inputs": {"train.npz": "ab"}, "code": {}}


def first_wins(_candidate, champion, _standing):
    """Promote only where there is no champion."""
    return Decision("challenger" if champion else "champion", "enforce", "first", "why")


def test_sending_needs_a_server(project, nobody, monkeypatch):
    """Without a server, or with one that does not answer, sending says so."""
    with pytest.raises(UserError, match="does not answer; nothing was sent") as caught:
        outbox.send(first_wins)
    assert "s3cret" not in str(caught.value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(UserError, match="set MLFLOW_TRACKING_URI to its address"):
        outbox.send(first_wins)


def test_an_outage_in_the_middle_loses_nothing(server, make_model, example, capfd):
    """A server that dies during training, evaluation included, has everything after `send`."""
    folder = make_model()
    with runs.training_run("mlp", **RUN) as run:
        original = run.id
        run.log_inputs({"train.npz": 3})
        run.log_epoch(1, {"accuracy": 0.8})
        server.kill()
        started = time.monotonic()
        run.log_epoch(2, {"accuracy": 0.9})
        run.log_model(folder, example, {"validation_accuracy": 0.9}, 2)
    # The manifest may hold the first id or the second, whichever was valid when it was written.
    for known in (original, run.id):
        with runs.resume_run(known) as added:
            added.log_metrics({"test_accuracy": 0.7})
            added.log_files([folder / "weights.pt"])
        assert added.id == run.id
    name = f"m-{time.time_ns()}"
    version = registry.register(name, folder, run_id=original, content_hash="x", metrics={})
    promotion.promote(version, first_wins)
    assert time.monotonic() - started < 60
    assert version.store.embedded
    _nothing_secret_and_few_lines(capfd)

    server.start()
    summary = outbox.send(first_wins)
    assert (summary.runs, summary.versions) == (1, 1)
    _check_whole(server, original, name, example)
    assert str(outbox.send(first_wins)).startswith("nothing waits")
    assert find.run(run.id) == find.run(original)
    assert capfd.readouterr() == ("", "")


def _nothing_secret_and_few_lines(capfd):
    out, err = capfd.readouterr()
    assert out == ""
    assert "digits send" in err
    assert err.count("\n") <= 3, err


def _check_whole(server, run_id, name, example):
    """Everything of the interrupted run is on the server, under its first id, once."""
    found = server.client.get_run(run_id)
    assert found.info.status == "FINISHED"
    history = server.client.get_metric_history(run_id, "accuracy")
    assert [(m.step, m.value) for m in history] == [(1, 0.8), (2, 0.9)]
    assert found.data.params == {"a.b": "1"}
    assert journal.UNSENT not in found.data.tags
    assert {f.path for f in server.client.list_artifacts(run_id)} >= {"lineage.json", "weights.pt"}
    (data,) = found.inputs.dataset_inputs
    assert data.dataset.name == "train"
    (output,) = found.outputs.model_outputs
    metrics = server.client.get_logged_model(output.model_id).metrics
    assert {m.key: m.value for m in metrics} == {"validation_accuracy": 0.9, "test_accuracy": 0.7}
    (version,) = registry.versions(name)
    assert (version.run_id, version.aliases) == (run_id, ("champion",))
    assert not version.store.embedded
    assert aliases.standing(version.store, name).record.problems == ()
    assert version.tags["input.train.npz"] == "ab"


def test_sending_twice_makes_nothing_twice(server, folder, example, monkeypatch):
    """A sending that was killed at any point is finished by the next one."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    with runs.training_run("mlp", **RUN) as run:
        run.log_epoch(1, {"accuracy": 0.8})
        run.log_model(folder, example, {"accuracy": 0.8}, 1)
    name = f"m-{time.time_ns()}"
    version = registry.register(name, folder, run_id=run.id, content_hash="x", metrics={})
    promotion.promote(version, first_wins)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)

    for module, function in (
        (copying, "_copy_files"),
        (copying, "_describe"),
        (promotion, "promote"),
    ):
        with monkeypatch.context() as broken:
            broken.setattr(module, function, _die)
            with pytest.raises(UserError, match=r"stopped .*run `digits send` again"):
                outbox.send(first_wins)
    outbox.send(first_wins)

    (copy,) = server.client.search_runs([store.connect().experiment])
    assert copy.data.tags[f"{journal.SENT_FROM}{run.id}"] == "true"
    assert copy.info.status == "FINISHED"
    assert len(server.client.get_metric_history(copy.info.run_id, "accuracy")) == 1
    assert len(copy.outputs.model_outputs) == 1
    assert [v.aliases for v in registry.versions(name)] == [("champion",)]
    assert find.run(run.id).run_id == copy.info.run_id


@pytest.fixture
def folder(make_model):
    """A model."""
    return make_model()


def _die(*_arguments):
    raise ConnectionError("the network is gone")


def test_a_weaker_version_does_not_replace_the_servers_champion(server, make_model, monkeypatch):
    """Aliases are decided again on the server, against its own champion."""
    name = f"m-{time.time_ns()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    strong = registry.register(
        name, make_model("strong"), run_id="a" * 32, content_hash="strong", metrics={}
    )
    with monkeypatch.context() as back:
        back.setenv("MLFLOW_TRACKING_URI", server.uri)
        outbox.send(first_wins)
    weak = registry.register(
        name, make_model("weak", 1.0), run_id="b" * 32, content_hash="weak", metrics={}
    )
    assert strong.store.embedded
    assert weak.store.embedded
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    outbox.send(first_wins)
    newest, oldest = registry.versions(name)
    assert (newest.content_sha256, newest.aliases) == ("weak", ("challenger",))
    assert (oldest.content_sha256, oldest.aliases) == ("strong", ("champion",))


def test_a_resumed_training_goes_on_with_its_run(server):
    """Training that is resumed after an outage adds to the run it began with."""
    with suppress(KeyboardInterrupt), runs.training_run("mlp", **RUN) as run:
        run.log_epoch(1, {"accuracy": 0.8})
        raise KeyboardInterrupt
    with runs.training_run("mlp", **(RUN | {"resume": run.id})) as again:
        again.log_epoch(2, {"accuracy": 0.9})
    assert again.id == run.id
    assert len(server.client.get_metric_history(run.id, "accuracy")) == 2
