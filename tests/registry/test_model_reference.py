"""Every command finds a model by the same references, and refuses a changed one unloaded."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import onnxruntime
import pytest
import torch

from digits.inference import model_manifest
from digits.project import atomic_files
from digits.project.errors import UserError
from digits.registry import promotion, version_download, version_lookup
from digits.registry.lineage import trace_lineage
from digits.registry.model_reference import resolve

PATHS = ["models/digits", "models/digits/weights.pt"]
VERSIONS = ["champion", "1", "01", "RUN"]
REVISION = "v1.0"


@pytest.fixture
def reference(request, checkout):
    """The parameter, where RUN stands for the id of the run that made the model."""
    run_id = atomic_files.read_json(checkout / "models/digits/manifest.json")["run_id"]
    return run_id if request.param == "RUN" else request.param


each = pytest.mark.parametrize("reference", [None, *PATHS, *VERSIONS, REVISION], indirect=True)


@each
def test_each_kind_of_reference_names_the_model_and_its_lineage(checkout, reference, request):
    """The default, a path, a version and a git revision give the same bytes, checked."""
    model, lineage = resolve(reference), trace_lineage(reference or "models/digits")

    assert model_manifest.check_files(model.folder) == model.manifest
    assert model.manifest == model_manifest.check_files(checkout / "models/digits")
    is_version = request.node.callspec.params["reference"] in VERSIONS
    assert model.version == (1 if is_version else None)
    assert (lineage["version"]["number"], lineage["run"]["status"]) == (1, "FINISHED")
    assert lineage == trace_lineage("models/digits")


@pytest.fixture
def damaged(checkout, monkeypatch):
    """Every copy of the weights is changed; loading any model fails the test."""
    shutil.rmtree(checkout / ".state/models", ignore_errors=True)

    def load(*_arguments, **_options):
        pytest.fail("a model was loaded")

    monkeypatch.setattr(onnxruntime, "InferenceSession", load)
    monkeypatch.setattr(torch, "load", load)
    content = (checkout / "models/digits/weights.pt").read_bytes()
    files = [p for p in checkout.rglob("*") if p.is_file() and p.stat().st_size == len(content)]
    copies = [file for file in files if file.read_bytes() == content]
    assert len(copies) == 3  # in the folder, in DVC's cache and in the registry
    for path in copies:
        path.chmod(0o644)
        path.write_bytes(content[:-1] + b"!")
    yield
    for path in copies:
        path.write_bytes(content)


@each
def test_each_kind_of_reference_refuses_a_changed_model(damaged, reference, request):
    """Nothing is loaded, and nothing stays in the cache."""
    finders = [resolve]
    if request.node.callspec.params["reference"] in (*PATHS, REVISION):
        finders.append(trace_lineage)  # that of a version needs no files
    for find in finders:
        with pytest.raises(UserError, match=r"differs from its manifest|was changed in DVC"):
            find(reference)

    assert not list(version_download.cached_folder("x").parent.glob("[!.]*"))


LIST = """'{0}' is no file, no folder, no git revision and no experiment, and the registered model \
'digits' has no version '{0}' in this checkout's own store; it has champion, 2, 1"""


NO_PATH = "{0}: no such file or folder; name the folder of a model"
MESSAGES = {
    **dict.fromkeys(("nix", "3", "HEAD", "--help", "f" * 32, "models:/digits/2"), LIST),
    "champoin": LIST.replace("it has champion, 2, 1", "did you mean 'champion'?"),
    **dict.fromkeys(("./nix", "../2"), NO_PATH),
}


@pytest.mark.parametrize("find", [resolve, trace_lineage])
def test_a_name_that_nothing_has_is_refused_with_what_there_is(versions, find):
    """One message says what was looked for and which versions exist, for every command."""
    for name, message in MESSAGES.items():
        with pytest.raises(UserError, match=f"^{re.escape(message.format(name))}$"):
            find(name)
    for name in ("dvc.yaml", ".", ""):  # a path wins over every other name
        with pytest.raises(UserError, match="is no file of a model"):
            find(name)

    assert not version_download.cached_folder("x").parent.exists()


@pytest.fixture
def asked(monkeypatch):
    """The references that the registry is asked for."""
    references, find = [], version_lookup.find_version
    monkeypatch.setattr(
        version_lookup, "find_version", lambda name, *a: references.append(name) or find(name, *a)
    )
    return references


CHANGES = {
    "an hour later": lambda patch, now: patch.setattr(time, "time", lambda: now + 4000),
    "the clock is set back": lambda patch, now: patch.setattr(time, "time", lambda: now - 4000),
    "the store is written": lambda *_: os.utime("mlflow.db"),
    "params.yaml is changed": lambda *_: Path("params.yaml").write_text(
        Path("params.yaml").read_text() + "\n"
    ),
    "the copy is damaged": lambda *_: next(Path(".state/models").glob("*/weights.pt")).unlink(),
    "an alias is moved": lambda *_: promotion.promote_manually("1", "better"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_recent_answer_is_used_until_it_may_have_changed(
    versions, asked, monkeypatch, capfd, change
):
    """The command says which version that is, and since when it is known."""
    resolve("champion")
    asked.clear()
    assert resolve("champion", max_age=3600).version == 2
    assert asked == []
    assert "champion is digits-2 as of " in capfd.readouterr().err

    CHANGES[change](monkeypatch, time.time())
    assert resolve("champion", max_age=3600).version in {1, 2}
    assert "champion" in asked


def test_a_recent_answer_needs_no_mlflow(versions):
    """So `digits predict --model champion` is as fast as with a folder."""
    resolve("champion")
    code = "import sys; from digits.registry.model_reference import resolve; "
    code += "print(resolve('champion', max_age=3600).name, 'mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "digits-2 False\n", done.stderr


def test_without_a_model_in_the_checkout_the_champion_is_the_default(versions):
    """Such a checkout has no models/digits."""
    assert resolve(None).version == resolve("champion").version == 2


def test_without_a_checkout_the_error_says_why_the_champion_was_looked_for(tmp_path, monkeypatch):
    """Nobody named it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(UserError, match=r"^no model is named.* the champion was looked for: "):
        resolve(None)


def test_before_the_first_version_the_way_to_one_is_told(workspace):
    """The registry is empty."""
    for find in (resolve, trace_lineage):
        with pytest.raises(UserError, match="'digits' has no version yet; `dvc repro` "):
            find("champion")


def test_the_own_store_does_not_stand_in_for_a_server(nobody, versions, monkeypatch):
    """Version 2 of this checkout is not the server's version 2."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", nobody)
    for find in (resolve, trace_lineage):
        with pytest.raises(UserError, match=r"'2' is no file, .*, and http.* does not answer"):
            find("2")


def test_a_mistyped_value_of_training_stops_no_reader(tmp_path, monkeypatch):
    """Only the name of the registered model is read; a mistake in it is told."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").touch()
    Path("params.yaml").write_text("register: {name: mine}\ntrain: {epochs: two}\n")
    assert version_lookup.registered_model_name() == "mine"

    Path("params.yaml").write_text("register: {name: 3}\n")
    with pytest.raises(UserError, match=r"params\.yaml: "):
        version_lookup.registered_model_name()
