"""The whole pipeline in a fresh clone: built, unchanged, changed, compared, copied."""

import json
import re
import shutil
import subprocess

import pytest

from digits.tracking.tracking_store import TrackingStore
from tests import processes
from tests.conftest import call


@pytest.fixture(scope="module")
def built(built, tmp_path_factory):
    """A copy of the clone after `dvc repro`, to go on with."""
    return shutil.copytree(built, tmp_path_factory.mktemp("pipeline") / "clone")


def runs_of(folder):
    """Every run in the store of a checkout, newest first."""
    store = TrackingStore(f"sqlite:///{folder}/mlflow.db", embedded=True)
    return store.client.search_runs([store.experiment])


def test_one_command_builds_everything(built):
    """Each stage has left what it promises, and nothing is to do any more."""
    for path in ("data/splits/test.npz", "models/digits/model.onnx", "metrics/evaluate.json"):
        assert (built / path).is_file()
    assert json.loads((built / "metrics/register.json").read_text())["alias"] == "champion"
    assert "up to date" in call(built, "dvc", "repro").stdout
    assert json.loads(call(built, "dvc", "status", "--json").stdout) == {}
    shown = json.loads(call(built, "dvc", "metrics", "show", "--json").stdout)
    assert 0.5 < shown[""]["data"]["metrics/evaluate.json"]["data"]["accuracy"] < 1


def test_git_ignores_everything_but_numbers(built):
    """After a build, git sees no data, no model and no store."""
    names = call(built, "git", "ls-files").stdout.split()
    untracked = call(built, "git", "status", "--porcelain").stdout

    assert untracked == ""
    kinds = (".npz", ".onnx", ".pt", ".db", ".png", "-ubyte")
    assert not [
        n for n in names if n.endswith(kinds) and not n.startswith(("docs/", "metrics/readme/"))
    ]


def test_results_and_versions_are_shown(built):
    """`digits results` and `digits versions` print what was built."""
    results = call(built, "digits", "results").stdout
    versions = call(built, "digits", "versions").stdout

    accuracy = json.loads((built / "metrics/evaluate.json").read_text())["accuracy"]
    assert re.search(rf"^test +{accuracy:.2%} ", results, re.MULTILINE)
    assert "version 1, champion" in results
    assert versions.splitlines()[1].split()[:2] == ["1", "champion"]
    assert f"{accuracy:.2%}" in versions.splitlines()[1]


def test_an_experiment_lands_in_the_same_store(built):
    """The run of one in a temporary copy of the checkout is beside the others."""
    change = ("-S", "train.learning_rate=0.00001")
    call(built, "dvc", "exp", "run", "--temp", "-n", "cold", *change, "train")

    newest, *others = runs_of(built)
    assert others
    assert newest.data.tags["dvc.experiment"] == newest.info.run_name == "cold"
    assert newest.data.params["train.learning_rate"] == "1e-05"
    assert newest.info.status == "FINISHED"
    assert "mlflow.db" not in call(built, "git", "status", "--porcelain").stdout
    diff = call(built, "dvc", "metrics", "diff", "--json", "HEAD", "cold")
    assert "validation_accuracy" in json.loads(diff.stdout)["metrics/train.json"]


def test_an_archive_without_git_still_runs(built, tmp_path, monkeypatch):
    """Unpacked from an archive it trains an equal model; the run says that there is no commit."""
    archive = tmp_path / "source.tar"
    subprocess.run(["git", "archive", "-o", archive, "HEAD"], cwd=built, check=True)
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "xf", archive, "-C", folder], check=True)
    shutil.copytree(built / "data", folder / "data", dirs_exist_ok=True)
    call(folder, "dvc", "config", "--local", "core.no_scm", "true")
    assert "split" in call(folder, "dvc", "repro", "split").stdout
    monkeypatch.chdir(folder)

    trained = processes.run("train")

    assert trained.returncode == 0, trained.stderr
    (run,) = runs_of(folder)
    assert run.data.tags["git.commit"] == "no commit"
    for name in ("model.onnx", "weights.pt"):
        path = f"models/digits/{name}"
        assert (folder / path).read_bytes() == (built / path).read_bytes()


def test_a_bad_value_stops_before_anything_is_touched(built):
    """A typo in params.yaml: one line, status 2 of the stage, the model as before."""
    text = (built / "params.yaml").read_text()
    before = (built / "models/digits/manifest.json").read_bytes()
    try:
        (built / "params.yaml").write_text(text.replace("  epochs:", "  epoch:"))
        done = call(built, "python", "-m", "stages.train", check=False)
    finally:
        (built / "params.yaml").write_text(text)

    assert done.returncode == 2
    assert done.stderr.startswith("train: params.yaml: train.epochs is missing; ")
    assert done.stderr.count("\n") == 1
    assert (built / "models/digits/manifest.json").read_bytes() == before
