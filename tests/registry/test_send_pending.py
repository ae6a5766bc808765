"""An outage loses nothing: what was logged waits in the checkout and is sent later, once."""

import shutil
import sqlite3
import time

import pytest

from digits.project import workspace
from digits.project.errors import UserError
from digits.registry import send_pending
from digits.registry.promotion_decision import PromotionDecision
from digits.tracking import journal, nested_runs, run_lookup, runs, tracking_store
from tests.stores import LINEAGE, NOBODY

RUN = LINEAGE | {"params": {"a": {"b": 1}}}
KILLED = """
import os, signal
from digits.tracking import runs
with runs.tracked_run("r", resume=None, params={}, inputs={}, code={}) as run:
    run.log_epoch(1, {"accuracy": 0.8})
    print(run.id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def first_wins(candidate, champion, _standing):
    """Promote only where there is no other champion, as the gate leaves a champion in its place."""
    alias = "challenger" if champion and champion.number != candidate.number else "champion"
    return PromotionDecision(alias, "enforce", "first", "why")


def waiting():
    """The folders of journals in the checkout."""
    return sorted((workspace.state_root() / ".state/runs").glob("*/*"))


def test_what_version_1_kept_for_a_server_is_told(team, capfd):
    """Runs that it left in the embedded store are named, with the way to send them."""
    here = tracking_store.embedded_store()
    here.client.create_run(here.experiment, tags={"outbox.unsent": "true"})
    send_pending.send_pending(first_wins)

    assert "1 run(s) of release 0.1.0 still wait in mlflow.db" in capfd.readouterr().err


def test_a_killed_training_is_finished_by_the_same_command(team, python, monkeypatch):
    """Killed while the server was away, resumed, killed, resumed with the server: one run."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    run_id = python(KILLED).communicate()[0].strip()
    with (waiting()[0] / journal.JOURNAL_FILE).open("ab") as torn:
        torn.write(b'\n{"kind": "metrics", "fac')
    with runs.tracked_run("r", **(RUN | {"resume": run_id})) as run:
        run.log_epoch(1, {"accuracy": 0.8})  # told again, as nobody knows whether it was
        run.log_epoch(2, {"accuracy": 0.9})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team.uri)
    with runs.tracked_run("r", **(RUN | {"resume": run_id})) as again:
        again.log_epoch(2, {"accuracy": 0.9})
        again.log_epoch(3, {"accuracy": 0.95})

    assert run.id == again.id == run_id
    (found,) = team.client.search_runs([team.experiment])
    assert found.info.status == "FINISHED"
    history = team.client.get_metric_history(found.info.run_id, "accuracy")
    assert [(m.step, m.value) for m in history] == [(1, 0.8), (2, 0.9), (3, 0.95)]
    assert waiting() == []


def test_what_a_killed_training_logged_is_sent_as_killed(team, python, monkeypatch):
    """Nobody goes on with it; a run that a living process has open is left alone."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    run_id = python(KILLED).communicate()[0].strip()
    with runs.tracked_run("alive", **RUN):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", team.uri)
        assert send_pending.send_pending(first_wins).runs == {run_id}
    target = run_lookup.find_run(run_id)
    assert team.client.get_run(target.run_id).info.status == "KILLED"
    assert len(team.client.get_metric_history(target.run_id, "accuracy")) == 1


def test_two_processes_may_have_one_run_open(project, client, monkeypatch):
    """One that stood still, and the one that took its work over, lose nothing of theirs."""
    with runs.tracked_run("r", **RUN) as run, runs.reopen_run(run.id) as other:
        run.log_epoch(1, {"x": 1.0})
        other.log_metrics({"y": 2.0})
        assert len(waiting()) == 2
    data = client.get_run(run.id).data
    assert (data.metrics["x"], data.metrics["y"]) == (1.0, 2.0)


def test_trials_stay_below_their_study(team, monkeypatch):
    """Made before or after it on the server, nested runs name the run that the study has there."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    with runs.tracked_run("study", **RUN) as study:
        for number, uri in enumerate((NOBODY, team.uri)):
            monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
            trial = nested_runs.start_trial_run(study.id, f"trial {number}", None, {})
            trial.end("FINISHED", "time/training", 1.0)
    send_pending.send_pending(first_wins)

    condition = f"tags.`{run_lookup.PARENT_TAG}` = '{run_lookup.find_run(study.id).run_id}'"
    trials = team.client.search_runs([team.experiment], condition)
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
    assert not any(b"s3cret" in p.read_bytes() for p in kept)
    with pytest.raises(UserError, match=r"does not answer .*nothing was sent") as caught:
        send_pending.send_pending(first_wins)
    assert "s3cret" not in f"{err}{caught.value}"


def test_a_locked_database_is_waited_for_once_and_costs_no_epoch(
    project, client, capfd, monkeypatch
):
    """Another program holds this checkout's own store: what is logged waits for the end.

    MLflow waits 20 s for the lock, here 1 s; the journal does not try again at each epoch.
    """
    from mlflow.store.db.utils import sql

    text = sql.text
    monkeypatch.setattr(sql, "text", lambda words: text(words.replace("20000", "1000")))
    with runs.tracked_run("r", **RUN) as run:
        blocker = sqlite3.connect(project / "mlflow.db")
        blocker.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        for epoch in range(1, 11):
            run.log_epoch(epoch, {"x": float(epoch)})
        assert time.monotonic() - started < 5
        blocker.close()
    assert [m.step for m in client.get_metric_history(run.id, "x")] == list(range(1, 11))
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
