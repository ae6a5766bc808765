"""What a run carries, how it ends, and that an outage loses nothing."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from digits.project import hashing
from digits.tracking import nested_runs, run_context, run_lookup, run_writer, runs, tracking_store

PARAMS = {"model": {"hidden": [8, 4]}, "train": {"learning_rate": 0.1}}
NOTHING = {"resume": None, "params": {}, "inputs": {}, "code": {}}
SLEEPER = """
import time
from stages.lib.tracking import runs
with runs.training_run("r", resume=None, params={}, inputs={}, code={}) as run:
    run.log_epoch(1, {"x": 1.0})
    print(run.id, flush=True)
    time.sleep(300)
"""


def test_a_run_carries_its_lineage(project, client, monkeypatch):
    """Parameters, input and code hashes, experiment, environment and packages are in the run."""
    monkeypatch.setenv("DVC_EXP_NAME", "brave-cow")
    kept = {"inputs": {"train.npz": "ab"}, "code": {"stages/train.py": "cd"}}
    with runs.tracked_run("mlp", resume=None, params=PARAMS, **kept) as run:
        run.log_inputs({"train.npz": 3})
    found = client.get_run(run.id)

    assert found.info.run_name == "mlp"
    assert found.info.status == "FINISHED"
    assert found.data.params == {"model.hidden": "[8, 4]", "train.learning_rate": "0.1"}
    tags = found.data.tags
    assert tags["input.train.npz"] == "ab"
    assert tags["code.sha256"] == hashing.json_sha256({"stages/train.py": "cd"})
    assert tags["dvc.experiment"] == "brave-cow"
    assert tags["git.commit"] == run_context.NO_COMMIT
    assert found.data.metrics["training_seconds"] > 0
    assert json.loads(_text(client, run.id, "lineage.json")) == kept
    assert "mlflow==" in _text(client, run.id, "packages.txt")
    (data,) = found.inputs.dataset_inputs
    digest = hashing.file_sha256(project / "train.npz")
    assert (data.dataset.name, data.dataset.digest) == ("train", digest[:36])
    assert (data.tags[0].key, data.tags[0].value) == ("mlflow.data.context", "training")
    assert json.loads(data.dataset.profile)["num_rows"] == 3


def _text(client, run_id, name):
    where = client.get_run(run_id).info.artifact_uri
    return (Path(where) / name).read_text()


def test_a_dirty_checkout_shows_what_is_not_committed(project):
    """The diff has changes and names new files, but no results."""
    _git(project, "init", "-q")
    (project / "metrics").mkdir()
    (project / "metrics/a.json").write_text("1")
    (project / "code.py").write_text("old = 1\n")
    _git(project, "add", "dvc.yaml", "metrics", "code.py")
    _git(project, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    clean = run_context.git_state(project)[0]
    (project / "metrics/a.json").write_text("2")
    (project / "code.py").write_text("new = 2\n")
    (project / "stages").mkdir()
    (project / "stages/extra.py").touch()
    dirty, diff = run_context.git_state(project)

    assert (clean["git.dirty"], dirty["git.dirty"]) == ("false", "true")
    assert dirty["git.commit"] == clean["git.commit"] == clean["mlflow.source.git.commit"]
    assert "+new = 2" in diff
    assert "not in git: stages/extra.py" in diff
    assert "a.json" not in diff
    with runs.tracked_run("r", **NOTHING) as run:
        pass
    assert _text(tracking_store.embedded_store().client, run.id, "source.diff") == diff


def _git(folder, *words):
    subprocess.run(["git", *words], cwd=folder, check=True)


def test_an_archive_inside_another_repository_has_no_commit(project):
    """A repository that does not hold this project says nothing about its code."""
    _git(project.parent, "init", "-q")
    assert run_context.git_state(project) == ({"git.commit": run_context.NO_COMMIT}, "")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
        (ValueError("loss is nan"), "FAILED"),
    ],
)
def test_an_ended_run_says_how(project, client, error, status):
    """Ctrl-C and SIGTERM leave a run KILLED, other exceptions FAILED, with the reason."""
    with pytest.raises(type(error)), runs.tracked_run("r", **NOTHING) as run:
        raise error
    found = client.get_run(run.id)
    assert found.info.status == status
    assert found.data.tags["error"].startswith(type(error).__name__)

    with runs.tracked_run("r", **(NOTHING | {"resume": run.id})) as again:
        assert client.get_run(run.id).info.status == "RUNNING"
    assert again.id == run.id
    found = client.get_run(run.id)
    assert found.info.status == "FINISHED"
    assert "error" not in found.data.tags


def test_ctrl_c_waits_for_a_write_to_the_checkouts_own_store(project, client, monkeypatch):
    """Broken off in the middle, it would leave the database locked for what ends the run."""
    write, said = run_writer.metrics, []

    def slow(*arguments, **options):
        signal.raise_signal(signal.SIGINT)
        said.append(write(*arguments, **options))

    monkeypatch.setattr(run_writer, "metrics", slow)
    with pytest.raises(KeyboardInterrupt), runs.tracked_run("r", **NOTHING) as run:
        run.log_epoch(1, {"x": 1.0})
    assert said
    assert client.get_run(run.id).info.status == "KILLED"


def begin():
    """Begin a run, and end it."""
    with runs.tracked_run("r", **NOTHING):
        pass


@pytest.mark.parametrize(
    "sweep", [begin, lambda: nested_runs.close_lost_runs([])], ids=["run", "study"]
)
def test_a_killed_run_is_swept(project, client, python, sweep):
    """A run whose process got `kill -9` is marked by the next run and by the end of a study.

    One that still runs is left alone.
    """
    process = python(SLEEPER)
    run_id = process.readline().strip()
    sweep()
    assert client.get_run(run_id).info.status == "RUNNING"
    process.kill()
    sweep()
    found = client.get_run(run_id)
    assert found.info.status == "KILLED"
    assert found.info.end_time > found.info.start_time


def test_only_certain_deaths_are_swept(project):
    """Processes of other machines and containers are never taken for dead."""
    mine = run_context.process_identity()
    assert not run_context.has_ended(mine)
    assert not run_context.has_ended({})
    assert not run_context.has_ended(
        mine | {"process.host": "elsewhere", "process.pid": "999999999"}
    )
    assert run_context.has_ended(mine | {"process.pid": "999999999"})
    assert run_context.has_ended(mine | {"process.started": "1.0"})


def test_the_model_is_kept_byte_by_byte(project, client, make_model, example):
    """The logged model has our very files, the numbers given with it, and is logged once."""
    folder = make_model()
    with runs.tracked_run("r", **NOTHING) as run:
        run.log_epoch(7, {"validation_accuracy": 0.9})
        run.log_model(folder, example, {"validation_accuracy": 0.9}, step=7)
        run.log_model(folder, example)
    with runs.reopen_run(run.id) as again:
        again.log_metrics({"test_accuracy": 0.8})
        again.log_files([folder / "weights.pt"])
    (output,) = client.get_run(run.id).outputs.model_outputs
    model = client.get_logged_model(output.model_id)

    assert output.step == 7
    assert str(model.status) == "READY"
    for name in ("model.onnx", "weights.pt", "manifest.json"):
        stored = Path(model.artifact_location) / name
        assert stored.read_bytes() == (folder / name).read_bytes()
    values = {m.key: (m.value, m.step) for m in model.metrics}
    assert values == {"validation_accuracy": (0.9, 7), "test_accuracy": (0.8, 0)}
    assert "evaluation_seconds" in client.get_run(run.id).data.metrics


def test_an_entry_that_no_store_takes_is_left_out(project, client, capfd):
    """A refused value costs one line, not the run."""
    with runs.tracked_run("r", **NOTHING) as run:
        run.log_epoch(1, {"bad*name": 1.0})
        run.log_epoch(2, {"good": 1.0})
    assert client.get_run(run.id).data.metrics["good"] == 1.0
    assert client.get_run(run.id).info.status == "FINISHED"
    assert capfd.readouterr().err.count("not recorded") == 1


def test_a_lost_run_is_continued_here(project, client, capfd):
    """Adding to a run that no store has opens a local one that says which it continues."""
    with runs.reopen_run("0" * 32) as run:
        run.log_metrics({"test_accuracy": 0.9})
    found = client.get_run(run_lookup.find_run(run.id).run_id)
    assert run.id == found.data.tags[run_lookup.LOCAL_ID_TAG] == "0" * 32
    assert (found.data.metrics["test_accuracy"], found.info.status) == (0.9, "FINISHED")
