"""A worker trains trials as `train` does, stops and goes on, and tells MLflow the truth."""

from contextlib import suppress

import pytest
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from digits.project.errors import UserError
from digits.tracking import tracking_store
from digits.training import checkpoint, training_loop
from digits.tuning import search, study_storage
from digits.tuning.worker import TrialWorker
from digits.tuning.worker_pool import TrialJob
from tests.conftest import mounted
from tests.training.test_train_model import run_train


def prepared(values):
    """A search that is begun, with its current values queued, and the job of its workers."""
    space = search.checked_space(values, 1)
    begun = search.open_search(space, study_storage.storage_url(None, values.tune.storage), 1)
    search.enqueue_current_values(begun)
    goal, inputs = values.tune.trials, begun.inputs
    return begun, TrialJob(begun.url, begun.study, values, inputs, goal, 1, None, alone=True)


def work(job, stop=lambda: False):
    """Run a worker in this process."""
    with study_storage.translate_storage_errors(job.url):
        TrialWorker(job, stop).work()


def trial_runs():
    """Every run in MLflow, in the order in which they were begun."""
    here = tracking_store.current_store()
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
    here = tracking_store.current_store().client
    losses = [here.get_metric_history(run.info.run_id, "train_loss") for run in (trained, tried)]
    assert [m.value for m in losses[0]] == [m.value for m in losses[1]]
    assert tried.data.params["train.learning_rate"] == str(values.train.learning_rate)


def test_a_search_that_is_stopped_after_every_epoch_is_the_same(
    workspace, rewrite_params, monkeypatch
):
    """One worker, one seed: the same trials to the last digit, whatever stops it meanwhile."""
    begun, job = prepared(rewrite_params(study="a", trials=7, pruner="halving"))
    work(job)
    undisturbed = outcomes(begun.study)

    begun, job = prepared(rewrite_params(study="b", trials=7, pruner="halving"))
    stopped, fit = [], training_loop.fit
    monkeypatch.setattr(training_loop, "fit", lambda state: stopped.append(state) or fit(state))
    for _ in range(7 * 3):
        stopped.clear()
        work(job, lambda: bool(stopped))

    assert outcomes(begun.study) == undisturbed
    assert {state for _, state, _, _ in undisturbed} == {"COMPLETE", "PRUNED"}
    mine = trial_runs()[7:]
    assert {r.data.tags["trial.state"]: r.info.status for r in mine} == {
        "finished": "FINISHED",
        "pruned": "KILLED",
    }
    here = tracking_store.current_store().client
    for run, trial in zip(mine, begun.study.trials, strict=True):
        steps = [m.step for m in here.get_metric_history(run.info.run_id, "train_loss")]
        assert steps == list(trial.intermediate_values)


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
    assert {t.state.name for t in begun.study.trials} == {"COMPLETE", "PRUNED"}
    assert {r.info.status for r in trial_runs()} == {"FINISHED", "FAILED"}


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

    assert [t.state.name for t in begun.study.trials] == ["COMPLETE", "COMPLETE"]
    assert [r.info.status for r in trial_runs()] == ["FINISHED"] * 2


def test_a_trial_that_was_given_away_is_left(workspace, rewrite_params, monkeypatch):
    """A worker that stood still finds its trial taken, and neither ends nor doubles it."""
    begun, job = prepared(rewrite_params(trials=1))
    fit = training_loop.fit

    def frozen(state):
        for epoch in fit(state):
            if epoch.epoch == 2 and len(begun.study.trials) == 1:
                begun.study.tell(0, state=TrialState.FAIL)
                RetryHeartbeatStaleTrialCallback()(begun.study, begun.study.trials[0])
            yield epoch

    monkeypatch.setattr(training_loop, "fit", frozen)
    work(job)

    assert [t.state.name for t in begun.study.trials] == ["FAIL", "COMPLETE"]
    assert [r.info.status for r in trial_runs()] == ["FINISHED"]
