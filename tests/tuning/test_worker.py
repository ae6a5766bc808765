"""A worker trains trials as `train` does, stops and goes on, and tells MLflow the truth."""

import threading
from contextlib import suppress
from functools import partial

import pytest
import torch
import yaml
from optuna.trial import TrialState
from sqlalchemy import make_url

from stages.lib import checkpoint, engine, params
from stages.lib.errors import UserError
from stages.lib.tracking import store
from stages.tuning import search, storage, worker
from stages.tuning.attempt import Attempt
from stages.tuning.pool import Job
from stages.tuning.space import plain
from stages.tuning.worker import Worker
from tests.test_train import run_train
from tests.tuning.conftest import mounted


def prepared(values):
    """A search that is begun, with its current values queued, and the job of its workers."""
    space = search.checked(values, 1)
    begun = search.begin(space, storage.address(None, values.tune.storage), 1)
    search.queue_current(begun)
    job = Job(
        storage=storage.secret(begun.url),
        study=begun.study.study_name,
        values=plain(values),
        inputs=begun.inputs,
        goal=values.tune.trials,
        threads=1,
        seconds=None,
        parent=None,
    )
    return begun, job


def work(job, stop=None):
    """Run a worker in this process."""
    with storage.explained(make_url(job.storage)):
        Worker(job, stop or threading.Event(), {}).work()


def trial_runs():
    """Every run in MLflow, in the order in which they were begun."""
    here = store.connect()
    return here.client.search_runs([here.experiment], order_by=["attributes.start_time ASC"])


def outcomes(study):
    """What every trial that counts came to."""
    return [
        (t.user_attrs["setting"], t.state.name, t.value, sorted(t.intermediate_values.items()))
        for t in study.trials
        if t.state is not TrialState.FAIL
    ]


def test_a_trial_reaches_what_train_reaches(workspace, rewrite_params):
    """The first trial has the current values, and exactly the accuracy of `train` with them."""
    values = rewrite_params(trials=1)
    begun, job = prepared(values)
    work(job)
    run_train(workspace)

    (trial,) = begun.study.trials
    trained, tried = reversed(trial_runs())
    assert trial.value == pytest.approx(trained.data.metrics["validation_accuracy"], abs=1e-6)
    here = store.connect().client
    losses = [here.get_metric_history(run.info.run_id, "train_loss") for run in (trained, tried)]
    assert [m.value for m in losses[0]] == [m.value for m in losses[1]]
    assert tried.data.params["train.learning_rate"] == str(values.train.learning_rate)


def test_two_searches_with_a_seed_are_the_same(workspace, rewrite_params):
    """Values, parameters and states of every trial are equal, pruning included."""
    found = []
    for name in ("a", "b"):
        begun, job = prepared(rewrite_params(study=name, trials=10, pruner="halving"))
        work(job)
        found.append(outcomes(begun.study))

    assert found[0] == found[1]
    assert {state for _, state, _, _ in found[0]} == {"COMPLETE", "PRUNED"}


def test_a_search_that_is_stopped_after_every_epoch_is_the_same(
    workspace, rewrite_params, monkeypatch
):
    """Stopped and gone on with again and again, a search ends as an undisturbed one."""
    begun, job = prepared(rewrite_params(study="a", trials=4))
    work(job)
    undisturbed = outcomes(begun.study)

    begun, job = prepared(rewrite_params(study="b", trials=4))
    for _ in range(4 * 3):
        stop = threading.Event()
        with monkeypatch.context() as disturbed:
            stopped = partial(stopping, engine.fit, stop)
            disturbed.setattr(engine, "fit", stopped)
            work(job, stop)

    assert outcomes(begun.study) == undisturbed
    assert len(begun.study.trials) == 4 * 3
    mine = trial_runs()[4:]
    assert [run.info.status for run in mine] == ["FINISHED"] * 4
    here = store.connect().client
    for run in mine:
        assert {m.step for m in here.get_metric_history(run.info.run_id, "train_loss")} == {1, 2, 3}


def stopping(fit, stop, state):
    """Epochs, and Ctrl-C during the first."""
    stop.set()
    yield from fit(state)


def test_states_are_told_truly(workspace, rewrite_params, values, monkeypatch):
    """Finished, pruned, diverged and interrupted trials look different in MLflow."""
    begun, job = prepared(rewrite_params(trials=4))
    ends = iter(["finished", "pruned", "diverged", "interrupted"])
    monkeypatch.setattr(Attempt, "train", lambda self, _stop: ending(self, next(ends)))
    with pytest.raises(StopIteration):
        work(job)

    told = [(r.info.status, r.data.tags["trial.state"]) for r in trial_runs()]
    assert told[:3] == [("FINISHED", "finished"), ("KILLED", "pruned"), ("FAILED", "diverged")]
    states = [t.state.name for t in begun.study.trials]
    assert states[:4] == ["COMPLETE", "PRUNED", "PRUNED", "FAIL"]


def ending(attempt, outcome):
    """Train one epoch and end so."""
    for row in attempt._epochs():
        attempt._trial.report(row["validation_accuracy"], row["epoch"])
        break
    return outcome


def test_a_diverging_trial_counts_and_the_search_goes_on(workspace, rewrite_params, values):
    """A loss that is no number ends its trial, not the search."""
    values["model"]["mlp"]["batch_norm"] = False
    values["train"]["precision"] = "float32"
    rate = values["train"]["learning_rate"]
    values["tune"]["space"] = {"train.learning_rate": {"choices": [rate, 1e30]}}
    begun, job = prepared(rewrite_params(trials=6))
    work(job)

    ends = [t.user_attrs["result"]["outcome"] for t in begun.study.trials]
    assert len(ends) == 6
    assert set(ends) == {"finished", "diverged"}


def test_a_full_disk_ends_the_work_and_loses_nothing(workspace, rewrite_params):
    """One line while there is no room; afterwards the same search is finished."""
    values = rewrite_params(trials=4, storage="sqlite:///small/tune.db")
    with mounted(workspace / "small", "size=2m") as folder:
        begun, job = prepared(values)
        filler = folder / "filler"
        with suppress(OSError):
            filler.write_bytes(bytes(2**21))  # as much as there is room for
        with pytest.raises(UserError, match=r"tune.db cannot be used .* nothing is lost"):
            work(job)
        filler.unlink()
        work(job)

        states = [t.state for t in begun.study.trials if t.state is not TrialState.FAIL]
        assert states == [TrialState.COMPLETE] * 4


def test_a_checkpoint_that_cannot_be_written_ends_the_work(workspace, rewrite_params, monkeypatch):
    """The trial is put back, and its run is not left running."""
    begun, job = prepared(rewrite_params(trials=2))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disturbed:
        disturbed.setattr(checkpoint, "save", full)
        with pytest.raises(OSError, match="No space left"):
            work(job)
    assert [r.info.status for r in trial_runs()] == ["FAILED"]
    work(job)

    assert [t.state.name for t in begun.study.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert [r.info.status for r in trial_runs()] == ["FINISHED"] * 2


def test_a_trial_that_was_given_away_is_left(workspace, rewrite_params, monkeypatch):
    """A worker that stood still finds its trial taken, and neither ends nor doubles it."""
    begun, job = prepared(rewrite_params(trials=1))
    fit = engine.fit

    def frozen(state):
        for epoch in fit(state):
            if epoch.epoch == 2 and len(begun.study.trials) == 1:
                begun.study.tell(0, state=TrialState.FAIL)
            yield epoch

    monkeypatch.setattr(engine, "fit", frozen)
    work(job)

    assert [t.state.name for t in begun.study.trials] == ["FAIL", "COMPLETE"]
    assert [r.info.status for r in trial_runs()] == ["FINISHED"]


def test_the_pictures_are_read_once(workspace, rewrite_params, monkeypatch):
    """A worker reads its files once, for all trials and jobs."""
    _, job = prepared(rewrite_params(trials=3))
    read, load, parts = [], worker.dataset.load, {}
    monkeypatch.setattr(worker.dataset, "load", lambda path: (read.append(path), load(path))[1])
    for _ in range(2):
        Worker(job, threading.Event(), parts).work()

    assert [path.name for path in read] == ["train.npz", "validation.npz"]


def test_threads_are_those_of_the_job(workspace, rewrite_params):
    """`train.threads` is divided by the pool, so the worker takes what it is given."""
    _, job = prepared(rewrite_params(trials=1))
    before = torch.get_num_threads()
    try:
        work(job)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_the_convolutional_network_can_be_searched(workspace, rewrite_params, values):
    """The same code serves the other network's values."""
    values["model"]["kind"] = "cnn"
    values["tune"]["space"] = {
        "model.cnn.channels": {"count": [1, 2], "size": {"low": 4, "high": 8}},
        "model.cnn.dropout": {"low": 0, "high": 0.5},
    }
    (workspace / "params.yaml").write_text(yaml.safe_dump(values))
    begun, job = prepared(rewrite_params(trials=2))
    work(job)

    assert [t.state.name for t in begun.study.trials] == ["COMPLETE"] * 2
    assert params.load().model.kind == "cnn"
