"""Trials are drawn by their position, and those that somebody left are gone on with once."""

import optuna
import pytest
from optuna.trial import TrialState

from digits.project.errors import UserError
from digits.tracking import run_context
from digits.tuning import study, study_storage
from digits.tuning.search_space import SearchSpace

COMPLETE, FAIL, PRUNED = TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED
RUNNING, WAITING = TrialState.RUNNING, TrialState.WAITING
URL = study_storage.sqlalchemy.make_url("sqlite:///tune.db")


@pytest.fixture
def opened(workspace):
    """A new study."""
    return study.open_study(URL, "s", {})


def begin(found):
    """A trial that this process runs."""
    trial = found.ask()
    trial.storage.record_heartbeat(trial._trial_id)
    trial.set_user_attr("process", run_context.process_identity())
    return trial


def states(found):
    """The state of every trial."""
    return [trial.state for trial in found.trials]


@pytest.mark.parametrize("kind", ["tpe", "random"])
def test_draws_depend_on_the_seed_and_the_position_alone(workspace, checked, kind):
    """Two studies draw the same, one of them interrupted and killed in each trial."""
    space, tune = SearchSpace(checked), checked.tune.model_copy(update={"sampler": kind})

    def begun(found):
        found.sampler = study.build_sampler(found, tune, 0)
        trial = found.ask()
        return trial, space.draw(trial)

    drawn = {"a": [], "b": []}
    for name, settings in drawn.items():
        found = study.open_study(URL, name, {})
        for _ in range(12):
            trial, setting = begun(found)
            if name == "b":
                trial.storage.set_trial_state_values(trial._trial_id, WAITING)
                trial, setting = begun(found)
                trial.set_user_attr(
                    "process", run_context.process_identity() | {"process.started": "0"}
                )
                study.requeue_abandoned(found)
                trial, setting = begun(found)
            found.tell(trial, 0.5 + setting["augment.elastic"] / 3)
            settings.append(setting)

    assert drawn["a"] == drawn["b"]
    assert len({str(setting) for setting in drawn["a"]}) == 12


def test_other_workers_draw_other_values(workspace, checked):
    """Two that come to a position at once do not train the same."""
    drawn = []
    for worker in (0, 1):
        found = study.open_study(URL, f"s{worker}", {})
        found.sampler = study.build_sampler(found, checked.tune, worker)
        drawn.append(SearchSpace(checked).draw(found.ask()))

    assert drawn[0] != drawn[1]


def test_a_trial_of_a_killed_worker_is_begun_again(opened, monkeypatch):
    """With all that is known of it, at once and once; not if it kills its workers each time."""
    trial = begin(opened)
    trial.suggest_float("x", 0, 1)
    trial.set_user_attr("run_id", "abc")
    study.requeue_abandoned(opened)
    assert states(opened) == [RUNNING]  # its process lives

    monkeypatch.setattr(run_context, "has_ended", bool)
    for again in range(1, study_storage.MAX_RETRIES + 1):
        study.requeue_abandoned(opened)
        study.requeue_abandoned(opened)
        assert states(opened) == [FAIL] * again + [WAITING]
        trial = begin(opened)
        assert trial.params == opened.trials[0].params
        assert trial.user_attrs["run_id"] == "abc"
    study.requeue_abandoned(opened)
    assert states(opened) == [FAIL] * (study_storage.MAX_RETRIES + 1)


def test_a_worker_killed_before_it_had_said_who_it_is_leaves_nothing(opened, monkeypatch):
    """A trial that is nobody's for a while is begun again."""
    opened.ask()
    study.requeue_abandoned(opened)
    assert states(opened) == [RUNNING]
    monkeypatch.setattr(study, "GRACE", -1)
    study.requeue_abandoned(opened)

    assert states(opened) == [FAIL, WAITING]


def test_silence_counts_as_death_on_other_machines(opened, monkeypatch):
    """A trial without a heartbeat for a while is begun again; what its worker says is refused."""
    trial = begin(opened)
    monkeypatch.setattr(opened._storage._backend, "grace_period", -1)
    study.requeue_abandoned(opened)

    assert states(opened) == [FAIL, WAITING]
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        trial.report(0.9, 1)


@pytest.mark.parametrize(
    ("there", "goal", "left"),
    [
        ([], 3, 3),
        ([COMPLETE, PRUNED, FAIL], 3, 1),
        ([RUNNING, COMPLETE], 3, 1),
        ([COMPLETE] * 4, 3, 0),
        ([WAITING, WAITING, COMPLETE], 2, 2),
    ],
)
def test_what_is_left_to_begin(opened, there, goal, left):
    """Finished, pruned and running trials count; queued ones are run in any case."""
    for state in there:
        value = 0.5 if state is COMPLETE else None
        opened.add_trial(optuna.create_trial(state=state, value=value))

    assert study.count_unclaimed(opened, goal) == left


def old(workspace, states):
    """A study as version 1 made it."""
    found = optuna.create_study(
        storage=study_storage.connect_storage(URL), study_name="old", direction="maximize"
    )
    found.set_user_attr("recipe", {"metric": "accuracy"})
    for state in states:
        value = 0.5 if state is COMPLETE else None
        found.add_trial(optuna.create_trial(state=state, value=value))
    return found


@pytest.mark.parametrize("states", [[COMPLETE], [COMPLETE, RUNNING], [COMPLETE] * 2 + [WAITING]])
def test_an_unfinished_study_of_version_1_is_refused(workspace, states):
    """The line names the way out, and the study is left as it is."""
    found = old(workspace, states)
    with pytest.raises(UserError, match=r"unfinished one of version 1.*give tune.study another"):
        study.open_study(URL, "old", {"metric": "accuracy"}, 2)

    assert found.user_attrs == {"recipe": {"metric": "accuracy"}}


def test_a_finished_study_of_version_1_may_be_shown(workspace):
    """Its trials are those of any other; of another search it is not."""
    old(workspace, [COMPLETE, PRUNED])
    assert study.count_done(study.open_study(URL, "old", {"metric": "accuracy"}, 2)) == 2
    with pytest.raises(UserError, match="begun with metric accuracy, now it is loss"):
        study.open_study(URL, "old", {"metric": "loss"}, 2)
