"""A worker trains trials as `train` does, stops and resumes, and records each end in MLflow."""

import itertools
from contextlib import suppress

import optuna
import pytest
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from digits.project.errors import UserError
from digits.tracking import tracking_store
from digits.training import checkpoint, training_loop
from digits.tuning import search, study_storage
from digits.tuning.search_space import SearchSpace
from digits.tuning.study import TrialJob, stored
from digits.tuning.worker import TrialWorker
from tests.conftest import mounted
from tests.training.test_train_model import run_train


def begin_search(values):
    """A study with its current values queued, and the job of its workers."""
    url = study_storage.storage_url(None, values.tune.storage)
    begun = search.open_search(SearchSpace(values), url, 1)
    search.enqueue_current_values(begun)
    goal, inputs = values.tune.trials, begun.inputs
    return begun.study, TrialJob(url, begun.study, values, inputs, goal, 1, None, alone=True)


def work(job, stop=lambda: False):
    """Run a worker in this process."""
    with study_storage.translate_storage_errors(job.url):
        TrialWorker(job, stop).work()


def trial_runs():
    """All runs in MLflow, oldest first."""
    store = tracking_store.current_store()
    return store.client.search_runs([store.experiment], order_by=["attributes.start_time ASC"])


def trial_records(study):
    """Setting, state, value and epochs of every trial except failed attempts."""
    return [
        (stored(t, "setting"), t.state.name, t.value, sorted(t.intermediate_values.items()))
        for t in study.trials
        if t.state is not TrialState.FAIL
    ]


def test_a_trial_reaches_what_train_reaches(workspace, rewrite_params):
    """The first trial has the current values, and the losses and accuracy of `train` with them."""
    values = rewrite_params(trials=1)
    study, job = begin_search(values)
    work(job)
    run_train(workspace)

    (trial,) = study.trials
    trained, tuned = reversed(trial_runs())
    assert trial.value == pytest.approx(trained.data.metrics["validation/accuracy"], abs=1e-6)
    client = tracking_store.current_store().client
    losses = [client.get_metric_history(run.info.run_id, "train/loss") for run in (trained, tuned)]
    assert [m.value for m in losses[0]] == [m.value for m in losses[1]]
    assert tuned.data.params["train.learning_rate"] == str(values.train.learning_rate)


def test_a_search_that_is_stopped_after_every_epoch_is_the_same(
    workspace, rewrite_params, monkeypatch
):
    """One worker and one seed give the same trials to the last digit, however often it stops."""
    study, job = begin_search(rewrite_params(study="a", trials=7, pruner="halving"))
    work(job)
    uninterrupted = trial_records(study)

    study, job = begin_search(rewrite_params(study="b", trials=7, pruner="halving"))
    stopped, fit = [], training_loop.fit
    monkeypatch.setattr(training_loop, "fit", lambda state: stopped.append(state) or fit(state))
    for _ in range(7 * 3):
        stopped.clear()
        work(job, lambda: bool(stopped))

    assert trial_records(study) == uninterrupted
    assert {state for _, state, _, _ in uninterrupted} == {"COMPLETE", "PRUNED"}
    runs = trial_runs()[7:]
    states = {r.data.tags["trial.state"]: r.info.status for r in runs}
    assert states == {"finished": "FINISHED", "pruned": "FINISHED"}
    client = tracking_store.current_store().client
    for run, trial in zip(runs, study.trials, strict=True):
        steps = [m.step for m in client.get_metric_history(run.info.run_id, "train/loss")]
        assert steps == list(trial.intermediate_values)


def test_a_diverging_trial_counts_and_the_search_goes_on(workspace, rewrite_params, values):
    """A loss that is not finite ends its trial, not the search."""
    values["model"]["mlp"]["batch_norm"] = False
    values["train"]["precision"] = "float32"
    rate = values["train"]["learning_rate"]
    values["tune"]["space"] = {"train.learning_rate": {"choices": [rate, 1e30]}}
    study, job = begin_search(rewrite_params(trials=6))
    work(job)

    outcomes = [stored(t, "result")["outcome"] for t in study.trials]
    assert len(outcomes) == 6
    assert set(outcomes) == {"finished", "diverged"}
    assert {t.state.name for t in study.trials} == {"COMPLETE", "PRUNED"}
    assert {r.info.status for r in trial_runs()} == {"FINISHED", "FAILED"}


def test_a_full_disk_ends_the_worker_and_loses_nothing(workspace, rewrite_params):
    """The worker reports the full disk; once there is room, the same search can be finished."""
    values = rewrite_params(trials=4, storage="sqlite:///small/tune.db")
    with mounted(workspace / "small", "size=2m") as folder:
        study, job = begin_search(values)
        filler = folder / "filler"
        with suppress(OSError):
            filler.write_bytes(bytes(2**21))  # fills the disk
        with pytest.raises(UserError, match=r"tune.db cannot be used .* nothing is lost"):
            work(job)
        filler.unlink()
        work(job)

        assert [state for _, state, _, _ in trial_records(study)] == ["COMPLETE"] * 4


def test_a_checkpoint_that_cannot_be_written_ends_the_worker(
    workspace, rewrite_params, monkeypatch
):
    """The trial is queued again, and its run is ended."""
    study, job = begin_search(rewrite_params(trials=2))

    def raise_full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disturbed:
        disturbed.setattr(checkpoint, "save", raise_full)
        with pytest.raises(OSError, match="No space left"):
            work(job)
    assert [r.info.status for r in trial_runs()] == ["FAILED"]
    work(job)

    assert [t.state.name for t in study.trials] == ["COMPLETE", "COMPLETE"]
    assert [r.info.status for r in trial_runs()] == ["FINISHED"] * 2


def test_a_study_that_is_deleted_meanwhile_ends_the_worker_in_one_line(workspace, rewrite_params):
    """As somebody may do in Optuna's dashboard; the trial's run is ended, too."""
    study, job = begin_search(rewrite_params(trials=2))
    calls = itertools.count()

    def delete():
        if next(calls) == 1:  # the worker asks before the first trial, then after each epoch
            optuna.delete_study(study_name=study.study_name, storage=study._storage)
        return False

    with pytest.raises(UserError, match=r"the study was deleted from .*begin it anew"):
        work(job, delete)
    assert [r.info.status for r in trial_runs()] == ["FAILED"]


@pytest.mark.parametrize("moment", ["in an epoch", "at its end"])
def test_a_worker_leaves_a_trial_that_another_one_took_over(
    workspace, rewrite_params, monkeypatch, moment
):
    """A worker that stood still neither ends its old trial nor repeats it."""
    study, job = begin_search(rewrite_params(trials=1))
    fit, train = training_loop.fit, TrialWorker._train

    def lose_trial():
        if len(study.trials) == 1:
            study.tell(0, state=TrialState.FAIL)
            RetryHeartbeatStaleTrialCallback()(study, study.trials[0])

    def fit_and_lose_trial(state):
        for epoch in fit(state):
            if epoch.epoch == 2:
                lose_trial()
            yield epoch

    def train_and_lose_trial(*arguments):
        accuracy = train(*arguments)
        lose_trial()
        return accuracy

    if moment == "at its end":
        monkeypatch.setattr(TrialWorker, "_train", train_and_lose_trial)
    else:
        monkeypatch.setattr(training_loop, "fit", fit_and_lose_trial)
    work(job)

    assert [t.state.name for t in study.trials] == ["FAIL", "COMPLETE"]
    assert [r.info.status for r in trial_runs()] == ["FINISHED"]
