"""A folder is exactly the model of its manifest, or it is refused; none of its code runs."""

import contextlib
import pickle
import shutil
import subprocess
import sys
import time

import pytest
import torch

from digits.inference import classifier, model_integrity, model_manifest
from digits.project.errors import UserError
from tests import hostile, sealed

ANY = contextlib.suppress(Exception)
MAX_SECONDS = 1.0  # of processor time


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """A valid model."""
    return sealed.seal(tmp_path_factory.mktemp("good") / "model")


@pytest.fixture
def folder(good, tmp_path):
    """A copy of the valid model that a test may change."""
    return shutil.copytree(good, tmp_path / "model")


def refusal(folder, check=model_integrity.check_model):
    """The message with which a folder is refused: one short line, in less than a second."""
    start = time.process_time()
    with pytest.raises(UserError) as refused:
        check(folder)
    assert time.process_time() - start < MAX_SECONDS
    message = str(refused.value)
    assert "\n" not in message
    assert "; " in message  # what is wrong; what to do
    assert len(message) < 400
    return message


def test_the_networks_of_the_project_pass(good, tmp_path):
    """Both networks are accepted, with and without test-time augmentation."""
    other = sealed.seal(tmp_path / "model", kind="cnn", views=9)

    for folder in (good, other):
        assert model_integrity.check_model(folder) == model_manifest.check_files(folder)


@pytest.mark.parametrize("name", sorted(model_integrity.MODEL_FILES))
def test_a_changed_file_is_refused(folder, name):
    """A flipped bit anywhere, or a cut end; but the run's id is not covered by any hash."""
    path = folder / name
    content = path.read_bytes()
    run = range(content.find(b'"run_id"') + 11, content.find(b'"run_id"') + 43)
    for at in range(0, len(content), max(1, len(content) // 200)):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        if name != model_manifest.MANIFEST or at not in run:
            refusal(folder)
    for keep in (0, 0.5, 0.99):
        path.write_bytes(content[: int(len(content) * keep)])
        assert str(path) in refusal(folder)


@pytest.mark.parametrize("name", hostile.GRAPHS)
def test_a_hostile_graph_with_a_valid_manifest_is_never_loaded(folder, tmp_path, name, monkeypatch):
    """All hashes are right; `classifier.load` refuses the graph before ONNX Runtime gets it."""
    monkeypatch.setattr(classifier, "session", pytest.fail)
    hostile.GRAPHS[name](folder, tmp_path / "canary")
    sealed.reseal(folder)

    refusal(folder, classifier.load)


@pytest.mark.parametrize("name", hostile.WEIGHTS)
def test_hostile_weights_with_a_valid_manifest_run_nothing(folder, tmp_path, name):
    """All hashes are right; only torch opens the weights, and it refuses pickles with calls."""
    canary = tmp_path / "canary"
    hostile.WEIGHTS[name](folder, canary)
    sealed.reseal(folder)

    model_integrity.check_model(folder)
    classifier.load(folder)
    refused = pytest.raises(pickle.UnpicklingError) if name in hostile.PICKLES else ANY
    with refused:
        torch.load(folder / "weights.pt", weights_only=True)

    assert not canary.exists()


@pytest.mark.parametrize("name", hostile.UNSEALED)
def test_a_hostile_folder_is_refused(folder, tmp_path, name):
    """Manifests that are inconsistent, and folders with other files than those of a model."""
    hostile.UNSEALED[name](folder, tmp_path / "canary")

    refusal(folder)


@pytest.mark.parametrize("name", ["os system", "builtins exec", "subprocess Popen", "torch save"])
@pytest.mark.parametrize("how", ["GLOBAL", "STACK_GLOBAL", "MEMO"])
def test_the_hostile_pickles_work(tmp_path, name, how):
    """Loaded with `pickle.load`, they leave their canary, so the tests above can fail."""
    canary = tmp_path / "canary"
    path = tmp_path / "evil.pkl"
    path.write_bytes(hostile.pickled(name, canary, how))

    command = "import pickle, sys, time; pickle.load(open(sys.argv[1], 'rb')); time.sleep(0.2)"
    subprocess.run([sys.executable, "-c", command, path], check=False, capture_output=True)

    assert canary.exists()


def test_there_are_a_hundred_hostile_models():
    """An accidental loss of cases is noticed."""
    assert len(hostile.WEIGHTS) + len(hostile.GRAPHS) + len(hostile.UNSEALED) > 98
