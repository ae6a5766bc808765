"""A study draws trials by their position, and queues the trials of dead workers again, once."""

import optuna
import pytest
from optuna.trial import TrialState

from digits.project import params_file
from digits.project.errors import UserError
from digits.tracking import run_context
from digits.tuning import study, study_storage
from digits.tuning.search_space import SearchSpace

COMPLETE, FAIL, PRUNED = TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED
RUNNING, WAITING = TrialState.RUNNING, TrialState.WAITING
URL = study_storage.sqlalchemy.make_url("sqlite:///tune.db")


@pytest.fixture
def new_study(workspace):
    """An empty study."""
    return study.open_study(URL, "s", {})


def begin_trial(opened):
    """A trial that this process runs."""
    trial = opened.ask()
    trial.storage.record_heartbeat(trial._trial_id)
    study.store(trial, "process", run_context.process_identity())
    return trial


def states(study):
    """The state of every trial."""
    return [trial.state for trial in study.trials]


def add_trials(study, states):
    """Add a trial in each of `states`."""
    for state in states:
        value = 0.5 if state is COMPLETE else None
        study.add_trial(optuna.create_trial(state=state, value=value))


@pytest.mark.parametrize("kind", ["tpe", "random"])
def test_draws_depend_on_the_seed_and_the_position_alone(workspace, checked, kind):
    """Two studies draw the same values, although one is interrupted and killed in each trial."""
    space, tune = SearchSpace(checked), checked.tune.model_copy(update={"sampler": kind})

    def draw(opened):
        opened.sampler = study.build_sampler(opened, tune, 0)
        trial = opened.ask()
        return trial, space.draw(trial)

    drawn = {"a": [], "b": []}
    for name, settings in drawn.items():
        opened = study.open_study(URL, name, {})
        for _ in range(12):
            trial, setting = draw(opened)
            if name == "b":
                trial.storage.set_trial_state_values(trial._trial_id, WAITING)
                trial, setting = draw(opened)
                dead = run_context.process_identity() | {"process.started": "0"}
                study.store(trial, "process", dead)
                study.requeue_abandoned(opened)
                trial, setting = draw(opened)
            opened.tell(trial, 0.5 + setting["augment.elastic"] / 3)
            settings.append(setting)

    assert drawn["a"] == drawn["b"]
    assert len({str(setting) for setting in drawn["a"]}) == 12


def test_other_workers_draw_other_values(workspace, checked):
    """Two workers at the same position do not train with the same values."""
    drawn = []
    for worker in (0, 1):
        opened = study.open_study(URL, f"s{worker}", {})
        opened.sampler = study.build_sampler(opened, checked.tune, worker)
        drawn.append(SearchSpace(checked).draw(opened.ask()))

    assert drawn[0] != drawn[1]


def test_a_trial_of_a_killed_worker_is_queued_again(new_study, monkeypatch):
    """It keeps its values and its run; after MAX_RETRIES killed workers it is given up."""
    trial = begin_trial(new_study)
    trial.suggest_float("x", 0, 1)
    trial.set_user_attr("run_id", "abc")
    study.requeue_abandoned(new_study)
    assert states(new_study) == [RUNNING]  # its process lives

    monkeypatch.setattr(run_context, "has_ended", bool)
    for retry in range(1, study_storage.MAX_RETRIES + 1):
        study.requeue_abandoned(new_study)
        study.requeue_abandoned(new_study)
        assert states(new_study) == [FAIL] * retry + [WAITING]
        trial = begin_trial(new_study)
        assert trial.params == new_study.trials[0].params
        assert trial.user_attrs["run_id"] == "abc"
    study.requeue_abandoned(new_study)
    assert states(new_study) == [FAIL] * (study_storage.MAX_RETRIES + 1)


def test_a_trial_without_a_process_is_queued_again_after_a_while(new_study, monkeypatch):
    """Its worker was killed before it stored its identity."""
    new_study.ask()
    study.requeue_abandoned(new_study)
    assert states(new_study) == [RUNNING]
    monkeypatch.setattr(study, "GRACE_SECONDS", -1)
    study.requeue_abandoned(new_study)

    assert states(new_study) == [FAIL, WAITING]


def test_a_trial_without_heartbeats_is_queued_again(new_study, monkeypatch):
    """Its worker may be on another machine; what that worker reports later is refused."""
    trial = begin_trial(new_study)
    monkeypatch.setattr(new_study._storage._backend, "grace_period", -1)
    study.requeue_abandoned(new_study)

    assert states(new_study) == [FAIL, WAITING]
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        trial.report(0.9, 1)


@pytest.mark.parametrize(
    ("present", "goal", "unclaimed"),
    [
        ([], 3, 3),
        ([COMPLETE, PRUNED, FAIL], 3, 1),
        ([RUNNING, COMPLETE], 3, 1),
        ([COMPLETE] * 4, 3, 0),
        ([WAITING, WAITING, COMPLETE], 2, 2),
    ],
)
def test_unclaimed_trials_are_counted(new_study, present, goal, unclaimed):
    """Finished, pruned and running trials count towards the goal; queued ones are always run."""
    add_trials(new_study, present)
    assert study.count_unclaimed(new_study, goal) == unclaimed


@pytest.fixture
def old_study(workspace):
    """A study that version 1 created."""
    storage = study_storage.connect_storage(URL)
    created = optuna.create_study(storage=storage, study_name="old", direction="maximize")
    created.set_user_attr("recipe", {"metric": "accuracy"})
    return created


@pytest.mark.parametrize("states", [[COMPLETE], [COMPLETE, RUNNING], [COMPLETE] * 2 + [WAITING]])
def test_an_unfinished_study_of_version_1_is_refused(old_study, states):
    """The message names the next step, and the study stays as it was."""
    add_trials(old_study, states)
    with pytest.raises(UserError, match=r"is unfinished .* release 0.1.0.*another name with"):
        study.open_study(URL, "old", {"metric": "accuracy"}, 2)

    assert old_study.user_attrs == {"recipe": {"metric": "accuracy"}}


def test_a_finished_study_of_version_1_can_be_shown(old_study):
    """It opens like any other study, unless it belongs to another search."""
    add_trials(old_study, [COMPLETE, PRUNED])
    assert study.count_done(study.open_study(URL, "old", {"metric": "accuracy"}, 2)) == 2
    with pytest.raises(UserError, match="begun with metric accuracy, now it is loss"):
        study.open_study(URL, "old", {"metric": "loss"}, 2)


def test_values_that_older_studies_lack_change_no_fingerprint(values):
    """Turned off they are left out, as is torchvision's network where another kind is trained."""
    values["tune"]["space"] = {"train.learning_rate": {"low": 0.001, "high": 0.1}}

    def fingerprint(**augment):
        values["augment"] |= augment
        return study.study_fingerprint(SearchSpace(params_file.check_params(values, "test")))

    new = {"augment.flip", "augment.erase", "augment.saturation", "train.balance"}
    off = fingerprint()
    assert not new & off.keys()
    assert not any(key.startswith(("model.torchvision", "model.cnn")) for key in off)
    assert fingerprint(flip=0.5) == off | {"augment.flip": "0.5"}
    values["model"]["kind"] = "torchvision"
    kinds = {key.split(".")[1] for key in fingerprint(flip=0.0) if key.startswith("model.")}
    assert kinds == {"kind", "views", "members", "torchvision"}
