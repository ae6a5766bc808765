"""An outage loses nothing: what was logged waits in the checkout and is sent later, once."""

import shutil
import sqlite3
import time
from contextlib import suppress
from itertools import count

import pytest

from digits.project import workspace
from digits.project.errors import UserError
from digits.registry import alias_moves, send_pending
from digits.registry.promotion_decision import PromotionDecision
from digits.tracking import journal, nested_runs, run_lookup, runs, tracking_store
from tests.registry.conftest import list_versions
from tests.stores import register_later

NOBODY = "http://127.0.0.1:1"  # nothing listens there
RUN = {"resume": None, "params": {"a": {"b": 1}}, "inputs": {"train.npz": "ab"}, "code": {}}
KILLED = """
import os, signal
from digits.tracking import runs
with runs.tracked_run("r", resume=None, params={}, inputs={}, code={}) as run:
    run.log_epoch(1, {"accuracy": 0.8})
    print(run.id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def first_wins(_candidate, champion, _standing):
    """Promote only where there is no champion."""
    return PromotionDecision("challenger" if champion else "champion", "enforce", "first", "why")


@pytest.fixture
def name():
    """The name of a registered model that no other test uses."""
    return f"m-{time.time_ns()}"


@pytest.fixture
def impatient(monkeypatch):
    """A user's setting: MLflow gives up on an answer after 4 s, each of two times."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "4")


def waiting():
    """The folders of journals in the checkout."""
    return sorted((workspace.state_root() / ".state/runs").glob("*/*"))


def test_sending_needs_a_server(nobody):
    """With one that does not answer, sending says so."""
    with pytest.raises(UserError, match=r"does not answer .*nothing was sent") as caught:
        send_pending.send_pending(first_wins)
    assert "s3cret" not in str(caught.value)


def test_what_version_1_kept_for_a_server_is_told(server, capfd):
    """Runs that it left in the embedded store are named, with the way to send them."""
    here = tracking_store.embedded_store()
    here.client.create_run(here.experiment, tags={"outbox.unsent": "true"})
    send_pending.send_pending(first_wins)

    assert "1 run(s) of release 0.1.0 still wait in mlflow.db" in capfd.readouterr().err


@pytest.mark.parametrize("outage", ["killed", "hung"])
def test_an_outage_in_the_middle_loses_nothing(
    server, make_model, example, name, capfd, outage, impatient
):
    """Training, evaluation and registration go on, within seconds, and `send` completes all."""
    folder = make_model()
    with runs.tracked_run("mlp", **RUN) as run:
        run.log_inputs({"train.npz": 3})
        run.log_epoch(1, {"accuracy": 0.8})
        server.kill() if outage == "killed" else server.pause()
        started = time.monotonic()
        for epoch in range(2, 20):
            run.log_epoch(epoch, {"accuracy": 0.9})
        run.log_model(folder, example, {"validation_accuracy": 0.9}, 2)
    with runs.reopen_run(run.id) as added:
        added.log_metrics({"test_accuracy": 0.7})
        added.log_files([folder / "weights.pt"])
    register_later(name, folder, run.id)
    assert added.id == run.id
    assert time.monotonic() - started < 60
    out, err = capfd.readouterr()
    assert out == ""
    assert "digits send" in err
    assert err.count("\n") == 1, err

    server.start() if outage == "killed" else server.proceed()
    summary = send_pending.send_pending(first_wins)
    assert (summary.runs, len(summary.versions)) == ({run.id}, 1)
    check_whole(server, run.id, name)
    assert str(send_pending.send_pending(first_wins)).startswith("nothing waits")
    assert (waiting(), capfd.readouterr()) == ([], ("", ""))


def check_whole(server, run_id, name):
    """Everything of the run is on the server, once."""
    found = server.client.get_run(run_id)
    assert found.info.status == "FINISHED"
    history = server.client.get_metric_history(run_id, "accuracy")
    assert [(m.step, m.value) for m in history] == [(1, 0.8), *((n, 0.9) for n in range(2, 20))]
    assert found.data.params == {"a.b": "1"}
    assert {f.path for f in server.client.list_artifacts(run_id)} >= {"lineage.json", "weights.pt"}
    (data,) = found.inputs.dataset_inputs
    assert data.dataset.name == "train"
    (output,) = found.outputs.model_outputs
    metrics = server.client.get_logged_model(output.model_id).metrics
    assert {m.key: m.value for m in metrics} == {"validation_accuracy": 0.9, "test_accuracy": 0.7}
    (version,) = list_versions(name)
    assert (version.run_id, version.aliases) == (run_id, ("champion",))
    assert alias_moves.alias_state(version.store, name).log.problems == ()
    assert version.tags["input.train.npz"] == "ab"


def test_a_sending_cut_off_at_any_call_makes_nothing_twice(
    server, make_model, example, name, monkeypatch
):
    """The process dies after each call in turn: the server did it, nobody was told."""
    folder = make_model()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    with runs.tracked_run("mlp", **RUN) as run:
        run.log_epoch(1, {"accuracy": 0.8})
        run.log_model(folder, example, {"accuracy": 0.8}, 1)
    with runs.reopen_run(run.id) as again:
        again.log_metrics({"test_accuracy": 0.7})
    register_later(name, folder, run.id)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)

    for allowed in count(1):
        with monkeypatch.context() as broken:
            deadly(broken, allowed)
            with suppress(UserError):
                send_pending.send_pending(first_wins)
                break
    assert allowed > 10

    (copy,) = server.client.search_runs([tracking_store.current_store().experiment])
    assert copy.data.tags[run_lookup.LOCAL_ID_TAG] == run.id
    assert copy.info.status == "FINISHED"
    for key in ("accuracy", "test_accuracy", "training_seconds", "evaluation_seconds"):
        assert len(server.client.get_metric_history(copy.info.run_id, key)) == 1
    (model,) = server.client.search_logged_models([tracking_store.current_store().experiment])
    assert [o.model_id for o in copy.outputs.model_outputs] == [model.model_id]
    assert sorted(m.key for m in model.metrics) == ["accuracy", "test_accuracy"]
    (version,) = list_versions(name)
    assert (version.number, version.aliases) == (1, ("champion",))
    assert run_lookup.find_run(run.id).run_id == copy.info.run_id
    assert waiting() == []


def deadly(patch, allowed):
    """Let `allowed` requests reach the server; the answer of the last is lost."""
    import requests

    real, done = requests.Session.request, count(1)

    def request(*arguments, **options):
        answer = real(*arguments, **options)
        if next(done) >= allowed + 1:  # the first asks whether the server is there
            raise ConnectionError("the network is gone")
        return answer

    patch.setattr(requests.Session, "request", request)


@pytest.mark.parametrize("call", ["create_run", "create_logged_model", "create_model_version"])
def test_a_server_that_hangs_at_a_call_makes_nothing_twice(
    server, make_model, example, name, monkeypatch, call, impatient
):
    """What was asked of it while it hung, it does when it goes on; asked again, only once."""
    from mlflow import MlflowClient

    real, folder = getattr(MlflowClient, call), make_model()

    def hanging(*arguments, **options):
        server.pause()
        return real(*arguments, **options)

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, call, hanging)
        started = time.monotonic()
        with runs.tracked_run("mlp", **RUN) as run:
            run.log_model(folder, example)
        register_later(name, folder, run.id)
        assert time.monotonic() - started < 60
    server.proceed()
    send_pending.send_pending(first_wins)

    (found,) = server.client.search_runs([tracking_store.current_store().experiment])
    assert found.info.status == "FINISHED"
    assert len(found.outputs.model_outputs) == 1
    assert len(server.client.search_logged_models([tracking_store.current_store().experiment])) == 1
    assert [v.number for v in list_versions(name)] == [1]


def test_a_killed_training_is_finished_by_the_same_command(server, python, monkeypatch):
    """Killed while the server was away, resumed, killed, resumed with the server: one run."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    run_id = python(KILLED).communicate()[0].strip()
    with (waiting()[0] / journal.JOURNAL_FILE).open("ab") as torn:
        torn.write(b'\n{"kind": "metrics", "fac')
    with runs.tracked_run("r", **(RUN | {"resume": run_id})) as run:
        run.log_epoch(1, {"accuracy": 0.8})  # told again, as nobody knows whether it was
        run.log_epoch(2, {"accuracy": 0.9})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    with runs.tracked_run("r", **(RUN | {"resume": run_id})) as again:
        again.log_epoch(2, {"accuracy": 0.9})
        again.log_epoch(3, {"accuracy": 0.95})

    assert run.id == again.id == run_id
    (found,) = server.client.search_runs([tracking_store.current_store().experiment])
    assert found.info.status == "FINISHED"
    history = server.client.get_metric_history(found.info.run_id, "accuracy")
    assert [(m.step, m.value) for m in history] == [(1, 0.8), (2, 0.9), (3, 0.95)]
    assert waiting() == []


def test_what_a_killed_training_logged_is_sent_as_killed(server, python, monkeypatch):
    """Nobody goes on with it; a run that a living process has open is left alone."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    run_id = python(KILLED).communicate()[0].strip()
    with runs.tracked_run("alive", **RUN):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        assert send_pending.send_pending(first_wins).runs == {run_id}
    target = run_lookup.find_run(run_id)
    assert server.client.get_run(target.run_id).info.status == "KILLED"
    assert len(server.client.get_metric_history(target.run_id, "accuracy")) == 1


def test_two_processes_may_have_one_run_open(project, client, monkeypatch):
    """One that stood still, and the one that took its work over, lose nothing of theirs."""
    with runs.tracked_run("r", **RUN) as run, runs.reopen_run(run.id) as other:
        run.log_epoch(1, {"x": 1.0})
        other.log_metrics({"y": 2.0})
        assert len(waiting()) == 2
    data = client.get_run(run.id).data
    assert (data.metrics["x"], data.metrics["y"]) == (1.0, 2.0)


def test_trials_stay_below_their_study(server, monkeypatch):
    """Made before or after it on the server, nested runs name the run that the study has there."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    with runs.tracked_run("study", **RUN) as study:
        for number, uri in enumerate((NOBODY, server.uri)):
            monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
            trial = nested_runs.start_trial_run(study.id, f"trial {number}", None, {})
            trial.end("FINISHED", "training_seconds", 1.0)
    send_pending.send_pending(first_wins)

    condition = f"tags.`{run_lookup.PARENT_TAG}` = '{run_lookup.find_run(study.id).run_id}'"
    trials = server.client.search_runs([tracking_store.current_store().experiment], condition)
    assert {r.info.run_name for r in trials} == {"trial 0", "trial 1"}


def test_a_missing_server_costs_seconds(nobody, capfd, example, make_model):
    """With nothing at the configured address, all is kept here, told once, without secrets."""
    started = time.monotonic()
    with runs.tracked_run("r", **RUN) as run:
        run.log_epoch(1, {"x": 1.0})
        run.log_model(make_model(), example)
    with runs.reopen_run(run.id) as again:
        again.log_metrics({"y": 1.0})
    assert time.monotonic() - started < 15

    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "digits send" in err
    kept = [p for p in waiting()[0].rglob("*") if p.is_file()]
    assert {"journal.jsonl", "model.onnx", "weights.pt", "lineage.json"} <= {p.name for p in kept}
    assert "s3cret" not in err
    assert not any(b"s3cret" in p.read_bytes() for p in kept)


def test_a_locked_database_costs_seconds_and_no_epoch(project, client, capfd):
    """Another program holds this checkout's own store: what is logged waits for the end."""
    with runs.tracked_run("r", **RUN) as run:
        blocker = sqlite3.connect(project / "mlflow.db")
        blocker.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        for epoch in range(1, 6):
            run.log_epoch(epoch, {"x": float(epoch)})
        assert time.monotonic() - started < 30
        blocker.close()
    assert [m.step for m in client.get_metric_history(run.id, "x")] == [1, 2, 3, 4, 5]
    assert client.get_run(run.id).info.status == "FINISHED"
    assert capfd.readouterr().err.count("\n") == 1


def test_a_full_disk_does_not_stop_the_work(project, client, monkeypatch, capfd):
    """What cannot be kept in the folder still goes to the store, and is told."""
    with runs.tracked_run("r", **RUN) as run:
        shutil.rmtree(waiting()[0])
        run.log_text("note.txt", "lost")
        run.log_epoch(1, {"x": 1.0})
    assert client.get_run(run.id).data.metrics["x"] == 1.0
    assert "artifacts cannot be kept" in capfd.readouterr().err
