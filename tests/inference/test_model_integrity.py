"""A model from elsewhere is exactly what its manifest says, or it is refused; no code runs."""

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
SECOND = 1.0  # of this process; a busy neighbour does not count


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """A whole model."""
    return sealed.seal(tmp_path_factory.mktemp("good") / "model")


@pytest.fixture
def folder(good, tmp_path):
    """A copy of it that may be changed."""
    return shutil.copytree(good, tmp_path / "model")


def refusal(folder):
    """The one sentence with which a folder is refused, in less than a second."""
    start = time.process_time()
    with pytest.raises(UserError) as refused:
        model_integrity.check_model(folder)
    assert time.process_time() - start < SECOND
    told = str(refused.value)
    assert "\n" not in told
    assert "; " in told  # what is wrong; what to do
    assert len(told) < 400
    return told


def test_the_networks_of_the_project_pass(good, tmp_path):
    """What `train` writes is let through: both networks, with and without several views."""
    other = sealed.seal(tmp_path / "model", kind="cnn", views=9)

    for folder in (good, other):
        assert model_integrity.check_model(folder) == model_manifest.check_files(folder)


@pytest.mark.parametrize("name", sorted(model_integrity.MODEL_FILES))
def test_a_flipped_bit_is_found_wherever_it_is(folder, name):
    """One bit, at places all over each file, or its end; the registry confirms the run's id."""
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
def test_a_hostile_graph_with_a_fitting_manifest_is_refused(folder, tmp_path, name):
    """No hash is wrong; it is taken apart before it is loaded."""
    hostile.GRAPHS[name](folder, tmp_path / "canary")
    sealed.reseal(folder)

    refusal(folder)


@pytest.mark.parametrize("name", hostile.WEIGHTS)
def test_hostile_weights_with_a_fitting_manifest_run_nothing(folder, tmp_path, name):
    """No hash is wrong; nothing but torch opens them, and it refuses what calls something."""
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
    """Manifests and folders that are something else than they should be."""
    hostile.UNSEALED[name](folder, tmp_path / "canary")

    refusal(folder)


@pytest.mark.parametrize("name", ["os system", "builtins exec", "subprocess Popen", "torch save"])
@pytest.mark.parametrize("how", ["GLOBAL", "STACK_GLOBAL", "MEMO"])
def test_the_pickles_do_bite(tmp_path, name, how):
    """Loaded the unsafe way, the same pickles leave their canary: the tests above can fail."""
    canary = tmp_path / "canary"
    path = tmp_path / "evil.pkl"
    path.write_bytes(hostile.pickled(name, canary, how))

    command = "import pickle, sys, time; pickle.load(open(sys.argv[1], 'rb')); time.sleep(0.2)"
    subprocess.run([sys.executable, "-c", command, path], check=False, capture_output=True)

    assert canary.exists()


def test_over_a_hundred_are_hostile():
    """The collection is as large as promised."""
    assert len(hostile.WEIGHTS) + len(hostile.GRAPHS) + len(hostile.UNSEALED) > 98
