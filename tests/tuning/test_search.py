"""`digits tune` as a person runs it: killed, interrupted, joined, applied."""

import random
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

from digits.datasets import split_files
from digits.project import params_file
from digits.tracking import tracking_store
from digits.tuning import search, study_storage
from digits.tuning.search_space import SearchSpace
from digits.tuning.study import confirmation_name
from tests import processes
from tests.cli.test_main import refusal
from tests.conftest import part

EPOCHS = 15
TRIALS = 5
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@pytest.fixture
def small(workspace, rewrite_params, values, official):
    """A search of trials of a second or two: fewer pictures."""
    split_files.save(part(official, 0, 600), workspace / "data/splits/train.npz")
    values["train"]["epochs"] = EPOCHS
    return rewrite_params(trials=TRIALS, pruner="halving")


@contextmanager
def tuning(*options):
    """The command in a group of its own, as a terminal would start it."""
    with processes.Process("digits", "tune", *options) as process:
        try:
            yield process
        finally:
            for one in family(process):
                one.kill()


def family(process):
    """The process and all that it started, as far as they live."""
    try:
        main = psutil.Process(process.pid)
        return [main, *main.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def workers(process):
    """The worker processes of a command that live: those that its server forked."""
    return [one for one in family(process) if process.pid not in {one.pid, one.ppid()}]


def trials(url, name="mlp"):
    """The trials of a study; none before there is one."""
    try:
        return optuna.load_study(study_name=name, storage=study_storage.connect_storage(url)).trials
    except KeyError:
        return []


def wait_for(url, condition, seconds=240):
    """Wait until the trials fulfil a condition."""
    until = time.monotonic() + seconds
    while not condition(trials(url)):
        assert time.monotonic() < until
        time.sleep(0.1)


def running(found):
    """Whether a trial of these has reported an epoch and will not end before it is interrupted."""
    return any(
        t.state is TrialState.RUNNING and 0 < len(t.intermediate_values) <= EPOCHS / 2
        for t in found
    )


def check_counts(url, goal, workers):
    """No more trials than may be, each of them once, and no run in MLflow is open."""
    found = trials(url)
    counted = [t for t in found if t.state is not TrialState.FAIL]
    assert all(t.state in DONE for t in counted)
    assert goal <= len(counted) <= goal + workers - 1
    assert sum("current" in t.user_attrs for t in counted) == 1
    origins = [h[-1] for t in found if (h := t.system_attrs.get("retry_history"))]
    assert len(set(origins)) == len(origins)
    here = tracking_store.current_store()
    nested = "tags.`mlflow.parentRunId` != 'x'"
    every = here.client.search_runs([here.experiment], nested, max_results=1000)
    assert {run.info.status for run in every} <= {"FINISHED", "KILLED"}
    told = Counter(run.data.tags.get("trial.state") for run in every)
    ended = [
        t.user_attrs["result"]["outcome"] for t in counted + trials(url, confirmation_name("mlp"))
    ]
    assert told["finished"] == ended.count("finished")
    assert told["pruned"] == ended.count("pruned")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_killed_again_and_again_a_search_ends_with_its_trials(url, small):
    """Workers, then everything at once: none lost, none doubled, the command goes on."""
    chance = random.Random(2)
    with tuning("--workers", "2") as process:
        for _ in range(2):
            wait_for(url, running)
            time.sleep(chance.random())
            chance.choice(workers(process)).kill()
        wait_for(url, lambda found: sum(t.state in DONE for t in found) >= 2 and running(found))
        for one in family(process):
            one.kill()
    assert any(t.state is TrialState.RUNNING for t in trials(url))

    done = processes.run("digits", "tune", "--workers", "2")

    assert done.returncode == 0, done.stderr
    check_counts(url, TRIALS, 2)
    found = trials(url)
    retried = [t for t in found if t.system_attrs.get("retry_history")]
    assert retried
    for trial in (t for t in retried if t.state in DONE):
        before = found[trial.system_attrs["retry_history"][-1]]
        assert before.params.items() <= trial.params.items()
        assert before.intermediate_values.items() <= trial.intermediate_values.items()
    assert "Warning" not in done.stderr


def test_ctrl_c_keeps_what_was_reached_and_apply_writes_what_is_better(
    workspace, small, rewrite_params
):
    """Interrupted, the command ends in order; then it finishes, and changes params.yaml."""
    small = rewrite_params(pruner="none")  # so that there are others to compare
    url = study_storage.storage_url(None, small.tune.storage)
    before = (workspace / "params.yaml").read_text()
    with tuning("--workers", "2") as process:
        wait_for(url, running)
        process.send_signal(signal.SIGINT)
        told = process.communicate()[1]
    assert process.returncode == 130, told
    assert told.endswith("tune: interrupted; the same command goes on from here\n")
    assert {t.state for t in trials(url)} <= {*DONE, TrialState.WAITING}
    assert any(t.intermediate_values for t in trials(url) if t.state is TrialState.WAITING)
    here = tracking_store.current_store()
    assert {r.info.status for r in here.client.search_runs([here.experiment])} <= {
        "FINISHED",
        "KILLED",
    }

    done = processes.run("digits", "tune", "--apply")

    assert done.returncode == 0, done.stderr
    check_counts(url, TRIALS, 2)
    assert f"{TRIALS}/{TRIALS} trials, " in done.stderr
    assert TrialState.FAIL not in {t.state for t in trials(url)}
    assert "Warning" not in done.stderr + told
    check_told(done.stdout, url)
    check_applied(before, (workspace / "params.yaml").read_text(), done.stdout)
    check_mlflow(here)


def check_told(text, url):
    """The table begins with the best trial; other seeds and their test follow."""
    best = max(t.value for t in trials(url) if t.state is TrialState.COMPLETE)
    assert text.strip().splitlines()[1].split()[1] == f"{best:.2%}"
    assert re.search(r"^trial \d+ .* [+-]\d+\.\d\d% \(.* to .*\), p ", text, re.MULTILINE)
    assert re.search(r"^current values +\d+\.\d\d% ", text, re.MULTILINE)


def check_applied(before, after, text):
    """What is better is in params.yaml, and nothing else changed; otherwise nothing did."""
    first, then = yaml.safe_load(before), yaml.safe_load(after)
    if "stays as it is" in text:
        assert before == after
        return
    assert "params.yaml is changed:" in text
    shown = re.findall(r"^(\S+\.\S+)  .+  (\S.*)$", text.split("is changed:")[1], re.MULTILINE)
    assert {key for key in first if first[key] != then[key]} == {k.split(".")[0] for k, _ in shown}
    now = SearchSpace(params_file.load_params()).current
    assert {key: params_file.format_value(now[key]) for key, _ in shown} == dict(shown)


def check_mlflow(here):
    """One run for the search, with pictures and importances, and the others below it."""
    runs = here.client.search_runs([here.experiment], max_results=1000)
    (parent,) = (r for r in runs if r.info.run_name == "tune mlp")
    assert parent.info.status == "FINISHED"
    below = {r.data.tags.get("mlflow.parentRunId") for r in runs if r is not parent}
    assert below == {parent.info.run_id}
    files = {f.path for f in here.client.list_artifacts(parent.info.run_id)}
    assert files >= {"history.png", "parallel.png", "slices.png", "result.txt"}
    assert parent.data.params["train.epochs"] == "15"


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_second_command_joins(url, small, rewrite_params):
    """Two commands with one storage share the trials, a killed worker's too; the first compares."""
    rewrite_params(pruner="none")  # so that there are others to compare
    with tuning() as first:
        wait_for(url, running)
        (worker,) = workers(first)
        worker.suspend()  # until the other one is there
        with tuning() as second:
            wait_for(url, lambda found: sum(t.state is TrialState.RUNNING for t in found) == 2)
            worker.kill()
            joined = second.communicate(timeout=120)
        led = first.communicate(timeout=120)

    assert (first.returncode, second.returncode) == (0, 0), led[1] + joined[1]
    assert joined[0].startswith("joining study mlp, which another command began\n")
    assert "current values" not in joined[0]
    assert "current values" in led[0]
    check_counts(url, TRIALS, 2)
    found = trials(url)
    assert any(t.system_attrs.get("retry_history") for t in found)
    assert len({t.user_attrs["process"]["process.pid"] for t in found if t.state in DONE}) == 2
    kept = [path.read_bytes() for path in Path().rglob("*") if path.is_file()]
    assert not any(b"s3cret" in text for text in ("".join(led + joined).encode(), *kept))


@pytest.mark.parametrize(
    "case",
    [
        ({}, ["--workers", "0"], "--workers is 0; this computer runs 1 to"),
        ({}, ["--workers", "5000"], "--workers is 5000"),
        ({"study": "a:confirm"}, [], "tune.study is 'a:confirm'"),
        ({"space": {"train.lr": {"low": 1, "high": 2}}}, [], "train.lr is not a known key"),
        ({}, ["--storage", "postgresql://a:s3cret@127.0.0.1:1/x"], "cannot be used"),
        ({"storage": "postgresql://a:s3cret@h/x"}, [], "give the whole address in DIGITS_TUNE"),
    ],
)
def test_what_cannot_be_done_is_one_line(workspace, values, monkeypatch, capsys, case):
    """A wrong value, space, count or address: status 2, and nothing is made."""
    changes, options, words = case
    monkeypatch.delenv(study_storage.STORAGE_VARIABLE, raising=False)
    values["tune"] |= changes
    (workspace / "params.yaml").write_text(yaml.safe_dump(values))
    told = refusal(capsys, "tune", *options)

    assert words in told
    assert "s3cret" not in told
    assert not Path(".state/tune.db").exists()


@pytest.mark.parametrize(
    "case",
    [
        ("train.epochs", 7, "begun with train.epochs 15, now it is 7"),
        ("model.mlp.batch_norm", False, "begun with model.mlp.batch_norm true"),
        ("tune.space", {"train.learning_rate": {"low": 0.001, "high": 0.2}}, "begun with "),
    ],
)
def test_another_search_under_the_same_name_is_refused(small, capsys, case):
    """Trials of other recipes or spaces are not comparable; the study stays as it was."""
    key, value, words = case
    url = study_storage.storage_url(None, small.tune.storage)
    search.open_search(search.checked_space(small, 1), url, 1)
    before = Path(".state/tune.db").read_bytes()
    params_file.write_values(Path("params.yaml"), {key: value})

    told = refusal(capsys, "tune")

    assert words in told
    assert "give tune.study another name" in told
    assert Path(".state/tune.db").read_bytes() == before


def test_a_study_of_somebody_else_is_refused(workspace, small, capsys):
    """Another direction, or trials of another program, under the same name."""
    url = study_storage.storage_url(None, small.tune.storage)
    optuna.create_study(
        storage=study_storage.connect_storage(url), study_name="mlp", direction="minimize"
    )

    assert "study mlp was not made by this command" in refusal(capsys, "tune")


def test_a_full_study_without_the_current_values_is_told(workspace, small, values, capsys):
    """Values changed by hand are compared, or the message says why they cannot be."""
    begun = search.open_search(
        search.checked_space(small, 1), study_storage.storage_url(None, small.tune.storage), 1
    )
    for _ in range(TRIALS):
        begun.study.add_trial(optuna.create_trial(value=0.5, params={}, distributions={}))
    assert f"has its {TRIALS} trials, none with these values" in refusal(capsys, "tune")


def test_without_a_tracking_server_the_search_goes_on(workspace, rewrite_params, monkeypatch):
    """Every run is kept here until `digits send`, and the study is told of in few lines."""
    rewrite_params(trials=3)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://anna:s3cret@127.0.0.1:1")
    done = processes.run("digits", "tune")

    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert done.stderr.count("tracking: ") == 1
    journals = [p.read_text() for p in workspace.glob(".state/runs/server/*/journal.jsonl")]
    assert len(journals) >= 4
    assert all('"status": "FINISHED"' in text for text in journals)
