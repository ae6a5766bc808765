"""What a run holds, and how it ends."""

import json
import subprocess
from functools import partial
from pathlib import Path

import pytest

from digits.project import hashing
from digits.tracking import nested_runs, run_context, runs
from tests.stores import NOTHING

PARAMS = {"model": {"hidden": [8, 4]}, "train": {"learning_rate": 0.1}}
SLEEPER = """
import time
from digits.tracking import runs
with runs.tracked_run("r", resume=None, params={}, inputs={}, code={}) as run:
    print(run.id, flush=True)
    time.sleep(300)
"""


def test_a_run_has_its_lineage(project, client, monkeypatch):
    """Parameters, input and code hashes, experiment, environment and packages are in the run."""
    monkeypatch.setenv("DVC_EXP_NAME", "brave-cow")
    hashes = {"inputs": {"train.npz": "ab"}, "code": {"stages/train.py": "cd"}}
    with runs.tracked_run("mlp", resume=None, params=PARAMS, **hashes) as run:
        run.log_inputs({"train.npz": 3})
    stored = client.get_run(run.id)

    assert (stored.info.run_name, stored.info.status) == ("mlp", "FINISHED")
    assert stored.data.params == {"model.hidden": "[8, 4]", "train.learning_rate": "0.1"}
    code = hashing.json_sha256({"stages/train.py": "cd"})
    tags = {"input.train.npz": "ab", "code.sha256": code, "dvc.experiment": "brave-cow"}
    assert tags.items() <= run_context.unfold_tags(stored.data.tags).items()
    assert [tag for tag in stored.data.tags if not tag.startswith("mlflow.")] == ["gate"]
    assert stored.data.metrics["time/training"] > 0
    assert json.loads(_text(client, run.id, "lineage.json")) == hashes
    assert "mlflow==" in _text(client, run.id, "packages.txt")
    (data,) = stored.inputs.dataset_inputs
    assert data.dataset.digest == hashing.file_sha256(project / "train.npz")[:36]
    assert (data.tags[0].key, data.tags[0].value) == ("mlflow.data.context", "training")
    assert json.loads(data.dataset.profile)["num_rows"] == 3


def test_the_record_of_a_run_stands_in_for_no_other_tag():
    """Tags of the record are read as if they were tags; those of older runs are there as well."""
    tags = {"git.commit": "a", "recipe": "mlp"}
    folded = run_context.fold_tags({"git.commit": "b", "git.branch": "main", "run.x": "true"})
    assert run_context.unfold_tags(tags) == tags
    assert run_context.unfold_tags(tags | folded) == tags | folded | {"git.branch": "main"}
    assert run_context.unfold_tags({run_context.RECORD_TAG: "["}) == {run_context.RECORD_TAG: "["}


def _text(client, run_id, name):
    return Path(client.get_run(run_id).info.artifact_uri, name).read_text()


def test_the_diff_of_a_dirty_checkout_has_no_results(project, client, monkeypatch):
    """It has the changes of the code, and names new files; the branch is that before DVC's run."""
    _git(project, "init", "-q", "-b", "feature")
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
    assert [w in diff for w in ("+new = 2", ": stages/extra.py", "a.json")] == [True, True, False]
    with runs.tracked_run("r", **NOTHING) as run:
        pass
    assert _text(client, run.id, "source.diff") == diff
    _git(project, "branch", "other")
    _git(project, "checkout", "-q", "--detach")  # as `dvc exp run` does
    assert run_context.git_state(project)[0]["git.branch"] == "detached"
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", clean["git.commit"])
    assert run_context.git_state(project)[0]["git.branch"] == clean["git.branch"] == "feature"


def _git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def test_an_archive_inside_another_repository_has_no_commit(project):
    """A repository without this project's files has no commit of its code."""
    _git(project.parent, "init", "-q")
    assert run_context.git_state(project) == ({"git.commit": run_context.NO_COMMIT}, "")


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt, "KILLED"), (SystemExit, "KILLED"), (ValueError, "FAILED")],
)
def test_the_status_of_a_run_says_how_it_ended(project, client, error, status):
    """Ctrl-C and SIGTERM leave a run KILLED, other exceptions FAILED, until it is resumed."""
    with pytest.raises(error), runs.tracked_run("r", **NOTHING) as run:
        raise error
    stored = client.get_run(run.id)
    assert stored.info.status == status
    assert stored.data.tags["error"].startswith(error.__name__)

    with runs.tracked_run("r", **(NOTHING | {"resume": run.id})) as again:
        assert client.get_run(run.id).info.status == "RUNNING"
    assert again.id == run.id
    stored = client.get_run(run.id)
    assert (stored.info.status, "error" in stored.data.tags) == ("FINISHED", False)


def begin_run():
    """Begin a run, and end it."""
    with runs.tracked_run("r", **NOTHING):
        pass


@pytest.mark.parametrize("mark", [begin_run, partial(nested_runs.close_lost_runs, [])])
def test_the_run_of_a_killed_process_is_marked(project, client, python, mark):
    """The next run and the end of a study mark it as KILLED, but no run that is still open."""
    process = python(SLEEPER)
    run_id = process.readline().strip()
    mark()
    assert client.get_run(run_id).info.status == "RUNNING"
    process.kill()
    mark()
    stored = client.get_run(run_id).info
    assert (stored.status, stored.end_time > stored.start_time) == ("KILLED", True)


def test_only_processes_of_this_machine_can_have_ended(project):
    """Processes of other machines and containers count as alive."""
    identity = run_context.process_identity()
    dead = {"process.pid": "999999999"}
    for tags in (identity, {}, identity | dead | {"process.host": "elsewhere"}):
        assert not run_context.has_ended(tags)
    for change in (dead, {"process.started": "1.0"}):
        assert run_context.has_ended(identity | change)


def test_a_logged_model_has_the_files_byte_by_byte(project, client, make_model, example):
    """It has the name and numbers of its run, with their data set, and is logged once."""
    folder = make_model()
    with runs.tracked_run("r", **NOTHING) as run:
        (project / "test.npz").touch()
        run.log_inputs({"test.npz": 3})
        run.log_epoch(7, {"validation/accuracy": 0.9})
        run.log_model(folder, example, {"validation/accuracy": 0.9}, step=7)
        run.log_model(folder, example)
    with runs.reopen_run(run.id) as again:
        again.log_metrics({"test/accuracy": 0.8})
        again.log_files([folder / "weights.pt"])
    (output,) = client.get_run(run.id).outputs.model_outputs
    model = client.get_logged_model(output.model_id)

    assert (output.step, str(model.status), model.name) == (7, "READY", "r")
    for name in ("model.onnx", "weights.pt", "manifest.json"):
        assert Path(model.artifact_location, name).read_bytes() == (folder / name).read_bytes()
    values = {m.key: (m.value, m.step, m.dataset_name) for m in model.metrics}
    assert values == {"validation/accuracy": (0.9, 7, None), "test/accuracy": (0.8, 0, "test")}
    assert "time/evaluation" in client.get_run(run.id).data.metrics
