"""Trials are given out once each, as many as asked for, whatever happens to the workers."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import optuna
import pytest
from optuna.trial import TrialState

from stages.lib.tracking import lineage
from stages.tuning import storage, study, trials
from stages.tuning.space import Space, plain
from stages.tuning.trials import Trials, recover

DEFAULT = "sqlite:///.state/tune.db"
FOREVER = float("inf")
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@pytest.fixture
def url(request, workspace):
    """The storage that a test is parametrised with; the embedded one unless it is."""
    if getattr(request, "param", "sqlite") == "postgresql":
        return request.getfixturevalue("database")
    return storage.address(None, DEFAULT)


@pytest.fixture
def opened(url, checked):
    """A new study and its trials."""
    connected, space = storage.connect(url), Space(checked)
    found = study.open_study(connected, "s", {})
    return found, Trials(url, connected, found, space)


def take(given, goal=3):
    """The next trial, without waiting for ever."""
    return given.take(goal, threading.Event(), FOREVER)


def test_trials_are_given_out_until_there_are_enough(opened):
    """The goal is met exactly; pruned trials count."""
    found, given = opened
    first, second, third = (take(given) for _ in range(3))
    assert [first.number, second.number, third.number] == [0, 1, 2]
    assert given.settle(first, TrialState.COMPLETE, 0.5)
    assert given.settle(second, TrialState.PRUNED)
    assert given.settle(third, TrialState.COMPLETE, 0.6)

    assert take(given) is None
    assert Counter(t.state for t in found.trials) == {TrialState.COMPLETE: 2, TrialState.PRUNED: 1}


def test_the_last_trials_of_others_are_waited_for(opened):
    """While another trial runs there may be more to do; `stop` ends the waiting."""
    _, given = opened
    take(given, goal=1)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()

    assert given.take(1, stop, FOREVER) is None
    assert stop.is_set()
    assert given.take(1, threading.Event(), time.monotonic() + 0.3) is None


def test_a_trial_that_is_put_back_goes_on_with_what_it_had(opened):
    """Ctrl-C marks a trial; the next worker gets its values, as often as that happens."""
    found, given = opened
    trial = take(given)
    for _ in range(4):
        assert given.put_back(trial)
        again = take(given)
        assert again.params == trial.params
        assert again.user_attrs["setting"] == trial.user_attrs["setting"]
        trial = again

    states = Counter(t.state for t in found.trials)
    assert states == {TrialState.FAIL: 4, TrialState.RUNNING: 1}


def gone(monkeypatch):
    """Make processes of trials be over."""
    monkeypatch.setattr(lineage, "gone", lambda _process: True)


def test_a_trial_of_a_killed_worker_is_retried_once(opened, monkeypatch):
    """Once with the same values; after the second death another trial takes its place."""
    found, given = opened
    first = take(given, goal=1)
    gone(monkeypatch)
    second = take(given, goal=1)
    third = take(given, goal=1)

    assert second.params == first.params
    assert third.params != first.params
    assert [t.user_attrs.get("killed", 0) for t in found.trials] == [0, 1, 0]
    assert [t.user_attrs.get("again") for t in found.trials] == [None, 0, None]


def test_a_worker_killed_in_the_middle_of_taking_leaves_nothing(opened, monkeypatch):
    """Without the mark that it was taken, a running trial is nobody's."""
    found, given = opened
    with monkeypatch.context() as dying:
        dying.setattr(lineage, "process", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            take(given, goal=1)
    assert found.trials[0].state is TrialState.RUNNING

    trial = take(given, goal=1)
    assert trial.user_attrs["setting"] == found.trials[0].user_attrs["setting"]
    assert found.trials[0].state is TrialState.FAIL


def test_a_recovery_that_is_killed_is_repeated_without_doubling(opened, monkeypatch):
    """Killed between marking and queueing, or after queueing, the next one ends the same."""
    found, given = opened
    take(given, goal=1)
    found.tell(0, state=TrialState.FAIL)
    recover(found)
    recover(found)

    assert [t.state for t in found.trials] == [TrialState.FAIL, TrialState.WAITING]


def test_silence_counts_as_death_on_other_machines(opened, monkeypatch):
    """A trial without a sign of life for GRACE seconds is retried; a late end is refused."""
    found, given = opened
    trial = take(given, goal=1)
    with monkeypatch.context() as later:
        later.setattr(given._storage, "grace_period", -1)
        recover(found)

    assert [t.state for t in found.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert not given.settle(trial, TrialState.COMPLETE, 0.9)
    assert not given.put_back(trial)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        trial.report(0.9, 1)


def test_a_heartbeat_is_recorded_while_a_trial_runs(opened, monkeypatch):
    """A running trial shows that it lives, and that does not outlive it."""
    _, given = opened
    trial, beats = take(given), []
    monkeypatch.setattr(trials, "HEARTBEAT", 0.05)
    monkeypatch.setattr(given._storage, "record_heartbeat", beats.append)
    with given.heartbeat(trial):
        time.sleep(0.4)
    count = len(beats)
    time.sleep(0.2)

    assert count > 2
    assert len(beats) == count


def test_draws_depend_on_the_seed_and_the_position_alone(url, checked):
    """Two studies draw the same, one of them interrupted after each trial."""
    drawn = []
    for name in ("a", "b"):
        for number in range(12):
            connected = storage.connect(url)
            found = study.open_study(connected, name, {})
            given = Trials(url, connected, found, Space(checked))
            trial = given.take(12, threading.Event(), FOREVER)
            if name == "b":
                given.put_back(trial)
                trial = given.take(12, threading.Event(), FOREVER)
            given.settle(trial, TrialState.COMPLETE, 0.5 + trial.params["augment.elastic"] / 3)
            drawn.append((name, number, trial.params))
    rows = {name: [row[1:] for row in drawn if row[0] == name] for name in ("a", "b")}

    assert rows["a"] == rows["b"]
    assert len({json.dumps(params) for _, params in rows["a"]}) == 12


HAMMER = """
import json, random, sys, threading, time
from optuna.trial import TrialState
from sqlalchemy import make_url
from stages.lib import params
from stages.tuning import storage, study
from stages.tuning.space import Space
from stages.tuning.trials import Trials
address, values, seed, goal = json.loads(sys.stdin.readline())
chance, url = random.Random(seed), make_url(address)
connected = storage.connect(url)
found = study.open_study(connected, "s", {})
trials = Trials(url, connected, found, Space(params.check(values, "params.yaml")))
while (trial := trials.take(goal, threading.Event(), float("inf"))) is not None:
    for step in range(3):
        trial.report(chance.random(), step)
        time.sleep(chance.random() / 20)
    if chance.random() < 0.3:
        trials.settle(trial, TrialState.PRUNED)
    else:
        trials.settle(trial, TrialState.COMPLETE, chance.random())
"""


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_workers_killed_at_random_leave_exactly_the_trials_asked_for(url, opened, checked):
    """Four processes, killed and replaced eight times: none lost, none doubled."""
    found, _ = opened
    chance, goal = random.Random(1), 30

    def started(seed):
        process = subprocess.Popen([sys.executable, "-c", HAMMER], stdin=subprocess.PIPE, text=True)
        job = [storage.secret(url), plain(checked), seed, goal]
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        return process

    processes = [started(seed) for seed in range(4)]
    for seed in range(4, 12):
        time.sleep(chance.random())
        victim = chance.choice(processes)
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        processes[processes.index(victim)] = started(seed)
    statuses = [process.wait(120) for process in processes]

    assert statuses == [0] * 4
    ended = [t for t in found.trials if t.state is not TrialState.FAIL]
    assert Counter(t.state in DONE for t in ended) == {True: goal}
    assert [t.number for t in found.trials] == list(range(len(found.trials)))
    origins = [t.user_attrs.get("again") for t in found.trials if "again" in t.user_attrs]
    assert len(set(origins)) == len(origins)
    failed = {t.number for t in found.trials if t.state is TrialState.FAIL}
    assert failed >= set(origins)
