"""`digits tune` as a command: killed, interrupted, joined, applied, refused."""

import re
import signal
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import optuna
import psutil
import pytest
import yaml
from optuna.trial import TrialState
from optuna_dashboard import get_note

from digits.datasets import split_files
from digits.project import params_file
from digits.tracking import tracking_store
from digits.tuning import search, study_storage
from digits.tuning.search_space import SearchSpace
from digits.tuning.study import DONE_STATES, confirmation_name, stored
from tests import processes
from tests.cli.test_main import refusal
from tests.conftest import part

EPOCHS = 10
TRIALS = 3


@pytest.fixture
def small(workspace, rewrite_params, values, official):
    """The Params of a search whose trials take a second or two: it has fewer images."""
    split_files.save(part(official, 0, 600), workspace / "data/splits/train.npz")
    values["train"]["epochs"] = EPOCHS
    return rewrite_params(trials=TRIALS, pruner="halving")


@contextmanager
def start_tune(*options):
    """Run the command; at the end kill it and its workers."""
    with processes.Process("digits", "tune", *options) as process:
        try:
            yield process
        finally:
            kill_all(process)


def kill_all(process):
    """Kill a process and all that it started."""
    for member in process_tree(process):
        member.kill()


def process_tree(process):
    """The living processes of a command: its own and all that it started."""
    try:
        main = psutil.Process(process.pid)
        return [main, *main.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def worker_processes(process):
    """The living workers of a command: those that its fork server started."""
    return [p for p in process_tree(process) if process.pid not in {p.pid, p.ppid()}]


def load_trials(url, name="mlp"):
    """The trials of a study; none before it is created."""
    try:
        return optuna.load_study(study_name=name, storage=study_storage.connect_storage(url)).trials
    except KeyError:
        return []


def wait_for(url, condition, seconds=240):
    """Wait until `condition` is true for the trials."""
    until = time.monotonic() + seconds
    while not condition(load_trials(url)):
        assert time.monotonic() < until
        time.sleep(0.1)


def is_running(trials):
    """Whether one of `trials` has reported an epoch and has half of its epochs to go."""
    running = [t for t in trials if t.state is TrialState.RUNNING]
    return any(0 < len(t.intermediate_values) <= EPOCHS / 2 for t in running)


def process_ids(trials, state):
    """The processes that have trials in a state."""
    of_state = [stored(t, "process") for t in trials if t.state is state]
    return {process["process.pid"] for process in of_state if process}


def check_counts(url, goal, workers):
    """Check that the study has as many trials as it should, each once, and no open run."""
    trials = load_trials(url)
    counted = [t for t in trials if t.state is not TrialState.FAIL]
    assert all(t.state in DONE_STATES for t in counted)
    assert goal <= len(counted) <= goal + workers - 1
    assert sum("current" in t.user_attrs for t in counted) == 1
    origins = [h[-1] for t in trials if (h := t.system_attrs.get("retry_history"))]
    assert len(set(origins)) == len(origins)
    store = tracking_store.current_store()
    nested = "tags.`mlflow.parentRunId` != 'x'"
    runs = store.client.search_runs([store.experiment], nested, max_results=1000)
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
    tags = Counter(run.data.tags.get("trial.state") for run in runs)
    ended = counted + load_trials(url, confirmation_name("mlp"))
    outcomes = Counter(stored(t, "result")["outcome"] for t in ended)
    assert all(tags[end] == outcomes[end] for end in ("finished", "pruned"))


def test_ctrl_c_keeps_all_epochs_and_apply_writes_a_better_setting(
    workspace, small, rewrite_params
):
    """The same command finishes the interrupted search, and changes params.yaml."""
    small = rewrite_params(pruner="none")  # so that there are others to compare with
    url = study_storage.storage_url(None, small.tune.storage)
    before = (workspace / "params.yaml").read_text()
    with start_tune("--workers", "2") as process:
        wait_for(url, is_running)
        process.send_signal(signal.SIGINT)
        stderr = process.communicate()[1]
    assert process.returncode == 130, stderr
    assert stderr.endswith("tune: interrupted; the same command goes on from here\n")
    assert {t.state for t in load_trials(url)} <= {*DONE_STATES, TrialState.WAITING}
    assert any(t.intermediate_values for t in load_trials(url) if t.state is TrialState.WAITING)
    store = tracking_store.current_store()
    statuses = {run.info.status for run in store.client.search_runs([store.experiment])}
    assert statuses <= {"FINISHED", "KILLED"}

    done = processes.run("digits", "tune", "--apply")

    assert done.returncode == 0, done.stderr
    check_counts(url, TRIALS, 2)
    assert f"{TRIALS}/{TRIALS} trials, " in done.stderr
    assert TrialState.FAIL not in {t.state for t in load_trials(url)}
    assert "Warning" not in done.stderr + stderr
    check_output(done.stdout, url)
    check_applied(before, (workspace / "params.yaml").read_text(), done.stdout)
    check_mlflow(store)
    check_dashboard(url, store)


def check_output(text, url):
    """Check that the best trial comes first, and the comparison on other seeds after it."""
    best = max(t.value for t in load_trials(url) if t.state is TrialState.COMPLETE)
    assert text.strip().splitlines()[1].split()[1] == f"{best:.2%}"
    assert re.search(r"^trial \d+ .* [+-]\d+\.\d\d% \(.* to .*\), p ", text, re.MULTILINE)
    assert re.search(r"^current values +\d+\.\d\d% ", text, re.MULTILINE)


def check_applied(before, after, text):
    """Check that params.yaml has the printed changes, and no others."""
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    if "stays as it is" in text:
        assert before == after
        return
    assert "params.yaml is changed:" in text
    shown = re.findall(r"^(\S+\.\S+)  .+  (\S.*)$", text.split("is changed:")[1], re.MULTILINE)
    assert {key for key in old if old[key] != new[key]} == {k.split(".")[0] for k, _ in shown}
    current = SearchSpace(params_file.load_params()).current
    assert {key: params_file.format_value(current[key]) for key, _ in shown} == dict(shown)


def check_mlflow(store):
    """Check the run of the search: the best trials first, figures, parameters, all runs below."""
    runs = store.client.search_runs([store.experiment], max_results=1000)
    (parent,) = (r for r in runs if r.info.run_name == "tune mlp")
    assert parent.info.status == "FINISHED"
    below = {r.data.tags.get("mlflow.parentRunId") for r in runs if r is not parent}
    assert below == {parent.info.run_id}
    files = {f.path for f in store.client.list_artifacts(parent.info.run_id)}
    assert files >= {"history.png", "parallel.png", "slices.png", "result.txt"}
    assert parent.data.params["train.epochs"] == str(EPOCHS)
    scores = [name for name in parent.data.metrics if not name.startswith("time/")]
    assert scores[0] == "validation/accuracy"
    best = f"{parent.data.metrics['validation/accuracy']:.2%}"
    assert (
        f"Accuracy on the validation images:\n- {best}" in parent.data.tags["mlflow.note.content"]
    )


def check_dashboard(url, store):
    """Check what Optuna Dashboard shows: notes, a named metric, attributes in a few words."""
    storage = study_storage.connect_storage(url)
    main, confirmation = (
        optuna.load_study(study_name=name, storage=storage)
        for name in ("mlp", confirmation_name("mlp"))
    )
    assert main.metric_names == ["validation accuracy"]
    assert "`mlp:confirm`" in get_note(main)
    assert "Nothing is searched here" in get_note(confirmation)
    page = f"http://127.0.0.1:5000/#/experiments/{store.experiment}/runs"
    assert f"[{page}/{main.user_attrs['run_id']}]" in get_note(main)
    for trial in (*main.trials, *confirmation.trials):
        shown = trial.user_attrs
        assert shown["MLflow"] == f"{page}/{shown['run_id']}"
        assert max(len(str(value)) for value in shown.values()) < 100
    finished = [t.user_attrs for t in main.trials if t.state is TrialState.COMPLETE]
    assert all(attributes["outcome"] == "finished" for attributes in finished)
    assert all(0 < attributes["loss"] < 5 for attributes in finished)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_search_that_is_joined_and_killed_runs_all_its_trials(url, small, rewrite_params):
    """A worker is killed, then the first command with all of its own: no trial is lost.

    The second command takes the trials over; the same command once more compares.
    """
    rewrite_params(pruner="none")  # so that there are others to compare with
    with start_tune() as first:
        wait_for(url, is_running)
        (worker,) = worker_processes(first)
        worker.suspend()  # until the second command runs a trial
        with start_tune("--apply") as second:
            wait_for(url, lambda ts: sum(t.state is TrialState.RUNNING for t in ts) == 2)
            worker.kill()
            dead = {str(worker.pid)}
            wait_for(url, lambda ts: len(process_ids(ts, TrialState.RUNNING) - dead) == 2)
            kill_all(first)
            joined = second.communicate(timeout=120)
    last = processes.run("digits", "tune")

    assert (second.returncode, last.returncode) == (0, 0), joined[1] + last.stderr
    assert joined[0].startswith("joining study mlp, which another command began; only that one")
    assert "current values" not in joined[0]
    assert "current values" in last.stdout
    assert "Warning" not in joined[1] + last.stderr
    check_counts(url, TRIALS, 2)
    trials = load_trials(url)
    retried = [t for t in trials if t.system_attrs.get("retry_history")]
    assert len(retried) >= 2
    for trial in (t for t in retried if t.state in DONE_STATES):
        before = trials[trial.system_attrs["retry_history"][-1]]
        assert before.params.items() <= trial.params.items()
        assert before.intermediate_values.items() <= trial.intermediate_values.items()
    texts = ["".join([*joined, last.stdout, last.stderr]).encode()]
    texts += [path.read_bytes() for path in Path().rglob("*") if path.is_file()]
    assert not any(b"s3cret" in text for text in texts)


@pytest.mark.parametrize(
    "case",
    [
        ({}, ["--workers", "0"], "--workers is 0; this computer runs 1 to"),
        ({}, ["--workers", "5000"], "--workers is 5000"),
        ({"study": "a:confirm"}, [], "tune.study is 'a:confirm'"),
        ({}, ["--study", "a:confirm"], "options: tune.study is 'a:confirm'"),
        ({}, ["--trials", "0"], "options: tune.trials is 0; it should be greater than 0"),
        ({}, ["--timeout", "-1"], "options: tune.timeout is -1.0; it should be"),
        ({"space": {"train.lr": {"low": 1, "high": 2}}}, [], "train.lr is not a known key"),
        ({}, ["--storage", "postgresql://a:s3cret@127.0.0.1:1/x"], "cannot be used"),
        ({"storage": "postgresql://a:s3cret@h/x"}, [], "put the address into DIGITS_TUNE"),
    ],
)
def test_a_search_that_cannot_begin_is_refused_in_one_line(
    workspace, values, monkeypatch, capsys, case
):
    """A wrong value, space, count or address gives status 2 and creates no study."""
    changes, options, words = case
    monkeypatch.delenv(study_storage.STORAGE_VARIABLE, raising=False)
    values["tune"] |= changes
    (workspace / "params.yaml").write_text(yaml.safe_dump(values))
    message = refusal(capsys, "tune", *options)

    assert words in message
    assert "s3cret" not in message
    assert not Path(".state/tune.db").exists()


@pytest.mark.parametrize(
    "case",
    [
        ("train.epochs", 7, "begun with train.epochs 10, now it is 7"),
        ("model.mlp.batch_norm", False, "begun with model.mlp.batch_norm true"),
        ("tune.space", {"train.learning_rate": {"low": 0.001, "high": 0.2}}, "begun with "),
    ],
)
def test_another_search_with_the_same_name_is_refused(small, capsys, case):
    """Trials with other fixed values or spaces are not comparable; the study stays as it was."""
    key, value, words = case
    url = study_storage.storage_url(None, small.tune.storage)
    begun = search.open_search(SearchSpace(small), url, 1)
    before = begun.study.user_attrs
    params_file.write_values(Path("params.yaml"), {key: value})

    message = refusal(capsys, "tune")

    assert words in message
    assert "give another search another name with --study" in message
    assert (begun.study.user_attrs, begun.study.trials) == (before, [])


def test_a_study_of_another_program_is_refused(workspace, small, capsys):
    """It has another direction, or no fingerprint."""
    storage = study_storage.connect_storage(study_storage.storage_url(None, small.tune.storage))
    optuna.create_study(storage=storage, study_name="mlp", direction="minimize")

    assert "study mlp was not created by `digits tune`" in refusal(capsys, "tune")


def test_a_full_study_without_the_current_values_is_refused(workspace, small, values, capsys):
    """Values changed by hand cannot be compared; those whose trial was killed are tried again."""
    url = study_storage.storage_url(None, small.tune.storage)
    begun = search.open_search(SearchSpace(small), url, 1)
    for _ in range(TRIALS):
        begun.study.add_trial(optuna.create_trial(value=0.5, params={}, distributions={}))
    assert f"has its {TRIALS} trials, but none with the values" in refusal(capsys, "tune")

    attributes = {"setting": begun.space.current}
    begun.study.add_trial(optuna.create_trial(state=TrialState.FAIL, user_attrs=attributes))
    search.enqueue_current_values(begun)
    assert begun.study.trials[-1].state is TrialState.WAITING


def test_without_a_tracking_server_the_search_goes_on(
    workspace, rewrite_params, monkeypatch, capsys
):
    """Every run is kept here until `digits send`, and one line reports the missing server.

    Options replace values of params.yaml. `digits dashboard` names the studies that there are.
    """
    rewrite_params(trials=5)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://anna:s3cret@127.0.0.1:1")
    done = processes.run("digits", "tune", "--study", "short", "--trials", "2", "--timeout", "600")
    assert done.stderr.startswith("study short is new; 2 trials\n")
    assert "tune.db has no study mlp; it has short" in refusal(capsys, "dashboard")

    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert done.stderr.count("tracking: ") == 1
    journals = [p.read_text() for p in workspace.glob(".state/runs/server/*/journal.jsonl")]
    assert len(journals) == 5  # of the search, its trials, and their comparison
    assert all('"status": "FINISHED"' in text for text in journals)
