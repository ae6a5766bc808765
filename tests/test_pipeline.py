"""The whole pipeline in a fresh clone: built, unchanged, changed, compared, copied."""

import json
import re
import shlex
import shutil
import subprocess

import pytest

from digits.cli.recipe import REFUSED
from digits.cli.results import results
from digits.cli.versions import versions
from digits.evaluation import scores
from digits.project import params_file, stage
from digits.project.errors import UserError
from digits.registry import model_reference
from digits.tracking.run_context import unfold_tags
from digits.tracking.tracking_store import TrackingStore, current_store
from stages.register import register
from tests import processes
from tests.conftest import ROOT, call
from tests.drawing import CHROMIUM, browser, opened

WIDE = {"width": 1440, "height": 900}


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
    shown = processes.run("digits", "results").stdout
    listed = processes.run("digits", "versions").stdout

    accuracy = accuracy_of(built)
    low, high = scores.wilson_interval(round(accuracy * 10_000), 10_000)
    row = rf"^test +{accuracy:.2%} +{low:.2%} to {high:.2%} +\d\d\.\d\d% +10,000 "
    assert re.search(row, shown, re.MULTILINE)
    assert "version 1, champion" in shown
    assert listed.splitlines()[1].split()[:2] == ["1", "champion"]
    assert f"{accuracy:.2%}" in listed.splitlines()[1]


def test_a_registration_that_is_gone_is_noticed(built, monkeypatch, tmp_path, capsys):
    """In another store `results` and `versions` name the command that registers it again.

    If the registered model was renamed, they name the other name.
    """
    folder = shutil.copytree(built, tmp_path / "clone")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/other.db")
    shutil.copy("mlflow.db", "other.db")
    client = current_store().client
    client.rename_registered_model("digits", "numbers")
    with pytest.raises(UserError, match="is version 1 of 'numbers'"):
        versions()
    client.delete_registered_model("numbers")

    with pytest.raises(UserError, match="`dvc repro -fs register` registers"):
        versions()
    results()
    assert "digits: no longer, version 1 is not in the registry" in capsys.readouterr().out
    register(**stage.section_arguments(register, params_file.load_params()))
    results()
    assert "digits version 1, champion" in capsys.readouterr().out
    client.delete_registered_model_alias("digits", "champion")
    results(as_json=True)
    assert json.loads(capsys.readouterr().out)["register"]["alias"] == "none"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("params.yaml", None),
        (
            "dvc.lock",
            "dvc.lock and the alias log name your run; all numbers are those of the last commit",
        ),
        ("metrics/train.json", "your last digits differ from those of the last commit"),
    ],
)
def test_results_say_why_git_status_is_not_clean(built, monkeypatch, path, words):
    """After a build with no changed input; a changed value is a reason of its own."""
    monkeypatch.chdir(built)
    lock, changed = (built / "dvc.lock").read_bytes(), (built / path).read_bytes()
    try:
        (built / "dvc.lock").write_bytes(lock + b"\n")
        (built / path).write_bytes(changed + b"\n")
        shown = processes.run("digits", "results").stdout
    finally:
        (built / path).write_bytes(changed)
        (built / "dvc.lock").write_bytes(lock)

    said = re.findall(r"^git status +(.*?)(?:, as .*)?$", shown, re.M)
    assert said == ([words] if words else [])
    assert ("git commit -m baseline" in shown) == bool(words)


@pytest.fixture(scope="module")
def experiment(built):
    """The checkout after an experiment `cold`, run in a temporary copy."""
    change = ("-S", "train.learning_rate=0.00001")
    call(built, "dvc", "exp", "run", "--temp", "-n", "cold", *change, "--single-item", "train")
    return built


def test_an_experiment_lands_in_the_same_store(experiment, monkeypatch):
    """The run of one in a temporary copy of the checkout is beside the others."""
    built = experiment
    newest, *others = runs_of(built)
    assert others
    assert unfold_tags(newest.data.tags)["dvc.experiment"] == newest.info.run_name == "cold"
    assert newest.data.params["train.learning_rate"] == "1e-05"
    assert newest.info.status == "FINISHED"
    assert "mlflow.db" not in call(built, "git", "status", "--porcelain").stdout
    monkeypatch.chdir(built)  # its name is that of a model, too
    assert model_reference.resolve("cold").manifest["run_id"] == newest.info.run_id


def test_one_changed_value_is_seen_at_a_glance(experiment):
    """`dvc metrics diff` has at most 8 rows, the table of `dvc exp show` at most 120 columns.

    The table has the changed value and the accuracies.
    """
    paths = [experiment / f"metrics/{name}.json" for name in ("train", "evaluate")]
    numbers = [json.loads(path.read_text()) for path in paths]
    for path, values in zip(paths, numbers, strict=True):  # of a training with one other value
        others = {k: v * 0.987654 if isinstance(v, float) else v for k, v in values.items()}
        path.write_text(json.dumps(others))
    diff = call(experiment, "dvc", "metrics", "diff").stdout.splitlines()
    options = re.search(r"dvc exp show (.*)", (ROOT / "docs/getting-started.md").read_text())
    table = call(experiment, "dvc", "exp", "show", *shlex.split(options.group(1))).stdout
    call(experiment, "git", "restore", "metrics")

    changed = {line.split()[1] for line in diff[1:]}
    floats = {k for values in numbers for k, v in values.items() if isinstance(v, float)}
    assert changed == floats
    assert len(diff) <= 1 + 8
    columns = table.splitlines()[1].split()
    shown = {key for key in floats if "accuracy" in key and "balanced" not in key}
    assert set(columns[2:-1]) == shown
    assert columns[-1] == "train.learning_rate"
    assert re.search(r"\[cold\] .* 1e-05 ", table)
    assert max(map(len, table.splitlines())) <= 120


@pytest.mark.skipif(not CHROMIUM, reason="no chromium")
def test_plots_need_no_other_host(experiment):
    """In a browser, all charts of `dvc plots diff` are drawn, and figures are side by side."""
    (experiment / ".venv").mkdir()
    call(experiment, "make", "-o", ".venv/.installed", ".venv/plots.html")
    address = call(experiment, "dvc", "plots", "diff", "HEAD", "cold").stdout.strip()
    folder, forgiven = address.removesuffix("index.html"), ("WARN", "crbug")  # Vega; the listing
    with browser() as chromium, opened(chromium, folder, forgiven, viewport=WIDE) as page:
        page.goto(address)
        page.wait_for_function("document.querySelectorAll('canvas').length === 6")
        figures = [image.bounding_box() for image in page.locator("img").all()]
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDE["width"]

    assert len(figures) == 12
    for left, right in zip(figures[::2], figures[1::2], strict=True):
        assert left["y"] == right["y"]
        assert (
            left["x"] + left["width"] <= right["x"] < right["x"] + right["width"] <= WIDE["width"]
        )


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
    assert unfold_tags(run.data.tags)["git.commit"] == "no commit"
    for name in ("model.onnx", "weights.pt"):
        path = f"models/digits/{name}"
        assert (folder / path).read_bytes() == (built / path).read_bytes()


def test_a_bad_value_stops_before_anything_is_touched(built, monkeypatch):
    """A typo in params.yaml: one line, status 2 of the stage, the model as before.

    Under DVC, which has removed the outputs by then, a second line says how to go back. What
    `digits recipe` prints of a recipe that there is not, DVC refuses.
    """
    refused = call(built, "dvc", "exp", "run", REFUSED, check=False)
    assert (refused.returncode, refused.stdout) == (255, "")
    assert f"'{REFUSED}' does not exist" in refused.stderr
    text = (built / "params.yaml").read_text()
    before = (built / "models/digits/manifest.json").read_bytes()
    monkeypatch.chdir(built)
    try:
        (built / "params.yaml").write_text(text.replace("  epochs:", "  epoch:"))
        done = processes.run("train")
        monkeypatch.setenv("DVC_STAGE", "train")
        under_dvc = processes.run("train").stderr.splitlines()
    finally:
        (built / "params.yaml").write_text(text)

    assert done.returncode == 2
    assert done.stderr.startswith("train: params.yaml: train.epochs is missing; ")
    assert done.stderr.count("\n") == 1
    assert under_dvc[0] == done.stderr.strip()
    assert under_dvc[1:] == [f"train: {stage.RESTORE}"]
    assert (built / "models/digits/manifest.json").read_bytes() == before
