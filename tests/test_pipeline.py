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


def accuracy_of(folder):
    """That of the model in a checkout on the test images."""
    return json.loads((folder / "metrics/evaluate.json").read_text())["accuracy"]


def test_one_command_builds_everything(built):
    """Each stage has left what it promises, and nothing is to do any more."""
    for path in ("data/splits/test.npz", "models/digits/model.onnx", "metrics/evaluate.json"):
        assert (built / path).is_file()
    assert json.loads((built / "metrics/register.json").read_text())["alias"] == "champion"
    assert json.loads(call(built, "dvc", "status", "--json").stdout) == {}
    assert 0.5 < accuracy_of(built) < 1


def test_git_ignores_everything_but_numbers(built):
    """After a build, git sees no data, no model and no store."""
    names = call(built, "git", "ls-files").stdout.split()
    untracked = call(built, "git", "status", "--porcelain").stdout

    assert untracked == ""
    kinds = (".npz", ".onnx", ".pt", ".db", ".png", "-ubyte")
    assert not [
        n for n in names if n.endswith(kinds) and not n.startswith(("docs/", "metrics/readme/"))
    ]


def test_results_and_versions_are_shown(built, monkeypatch):
    """`digits results` and `digits versions` print what was built."""
    monkeypatch.chdir(built)
    results = processes.run("digits", "results").stdout
    versions = processes.run("digits", "versions").stdout

    accuracy = accuracy_of(built)
    assert re.search(rf"^test +{accuracy:.2%} ", results, re.MULTILINE)
    assert "version 1, champion" in results
    assert versions.splitlines()[1].split()[:2] == ["1", "champion"]
    assert f"{accuracy:.2%}" in versions.splitlines()[1]


def test_an_experiment_lands_in_the_same_store(built):
    """The run of one in a temporary copy of the checkout is beside the others."""
    change = ("-S", "train.learning_rate=0.00001")
    call(built, "dvc", "exp", "run", "--temp", "-n", "cold", *change, "--single-item", "train")

    newest, *others = runs_of(built)
    assert others
    assert newest.data.tags["dvc.experiment"] == newest.info.run_name == "cold"
    assert newest.data.params["train.learning_rate"] == "1e-05"
    assert newest.info.status == "FINISHED"
    assert "mlflow.db" not in call(built, "git", "status", "--porcelain").stdout
    told = call(built, "dvc", "metrics", "diff", "--all", "--json", "HEAD", "cold").stdout
    diff = json.loads(told)
    assert diff["metrics/train.json"]["validation_accuracy"]["diff"] < 0
    assert diff["metrics/evaluate.json"]["accuracy"]["old"] == accuracy_of(built)


def test_an_archive_without_git_still_runs(built, empty_store, tmp_path, monkeypatch):
    """Unpacked from an archive it trains an equal model; the run says that there is no commit."""
    archive = tmp_path / "source.tar"
    subprocess.run(["git", "archive", "-o", archive, "HEAD"], cwd=built, check=True)
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "xf", archive, "-C", folder], check=True)
    shutil.copytree(built / "data", folder / "data", dirs_exist_ok=True)
    (folder / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    assert "Running stage 'download'" in call(folder, "dvc", "repro", "download").stdout
    shutil.copy(empty_store, folder)
    monkeypatch.chdir(folder)

    trained = processes.run("train")

    assert trained.returncode == 0, trained.stderr
    (run,) = runs_of(folder)
    assert run.data.tags["git.commit"] == "no commit"
    for name in ("model.onnx", "weights.pt"):
        path = f"models/digits/{name}"
        assert (folder / path).read_bytes() == (built / path).read_bytes()


def test_a_bad_value_stops_before_anything_is_touched(built, monkeypatch):
    """A typo in params.yaml: one line, status 2 of the stage, the model as before."""
    text = (built / "params.yaml").read_text()
    before = (built / "models/digits/manifest.json").read_bytes()
    monkeypatch.chdir(built)
    try:
        (built / "params.yaml").write_text(text.replace("  epochs:", "  epoch:"))
        done = processes.run("train")
    finally:
        (built / "params.yaml").write_text(text)

    assert done.returncode == 2
    assert done.stderr.startswith("train: params.yaml: train.epochs is missing; ")
    assert done.stderr.count("\n") == 1
    assert (built / "models/digits/manifest.json").read_bytes() == before
