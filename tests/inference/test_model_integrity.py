"""A folder is exactly the model of its manifest, or it is refused; none of its code runs."""

import contextlib
import pickle
import shutil

import pytest
import torch

from digits.inference import classifier, model_integrity, model_manifest
from digits.project.errors import UserError
from tests import hostile, sealed

ANY = contextlib.suppress(Exception)


@pytest.fixture
def folder(filled, tmp_path):
    """A valid model that a test may change."""
    return shutil.copytree(filled / "model-1", tmp_path / "model")


def refusal(folder, check=model_integrity.check_model):
    """The message with which a folder is refused: one short line."""
    with pytest.raises(UserError) as refused:
        check(folder)
    message = str(refused.value)
    assert "\n" not in message
    assert "; " in message  # what is wrong; what to do
    assert len(message) < 400
    return message


def test_the_networks_of_the_project_pass(folder, tmp_path):
    """Both networks are accepted, with and without test-time augmentation."""
    for model in (folder, sealed.seal(tmp_path / "other", kind="cnn", views=5)):
        assert model_integrity.check_model(model) == model_manifest.check_files(model)


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
def test_a_hostile_graph_with_a_valid_manifest_is_never_loaded(folder, name, monkeypatch):
    """All hashes are right; `classifier.load` refuses the graph before ONNX Runtime gets it."""
    monkeypatch.setattr(classifier, "session", pytest.fail)
    hostile.change_graph(folder, name)

    assert hostile.GRAPHS[name][1] in refusal(folder, classifier.load)


@pytest.mark.parametrize("form", hostile.WEIGHTS)
@pytest.mark.parametrize(("name", "how"), hostile.PICKLES)
def test_hostile_weights_with_a_valid_manifest_run_nothing(folder, tmp_path, form, name, how):
    """All hashes are right; only torch opens the weights. `pickle.load` would run the code.

    What is no archive as torch writes it, or has more files, is refused unopened.
    """
    canary = tmp_path / "canary"
    evil = hostile.pickled(name, how, canary)
    hostile.change_weights(folder, form, evil)

    if form == "an archive":
        classifier.load(folder)
    else:
        assert "no archive of torch with weights alone" in refusal(folder, classifier.load)
    refused = pytest.raises(pickle.UnpicklingError) if form == "an archive" else ANY
    with refused:
        torch.load(folder / "weights.pt", weights_only=True)
    assert not canary.exists()

    pickle.loads(evil)
    assert canary.exists()


@pytest.mark.parametrize("name", hostile.MANIFESTS)
def test_a_hostile_manifest_is_refused(folder, name):
    """Its hash fits where there is one, so that each is refused for what is wrong with it."""
    hostile.change_manifest(folder, name)

    assert hostile.MANIFESTS[name][1] in refusal(folder)


@pytest.mark.parametrize("name", hostile.FOLDERS)
def test_a_folder_with_other_files_is_refused(folder, tmp_path, name):
    """Nothing is read from a link, a pipe or a folder."""
    path = folder / "weights.pt"
    hostile.FOLDERS[name](path, path.rename(tmp_path / "weights"))

    refusal(folder)
