"""`digits pull` puts a whole model on the disk, or changes nothing."""

import os

import pytest

from digits.inference import model_integrity, model_manifest
from digits.registry import model_reference, published_model
from tests import processes, sealed
from tests.cli.test_main import refusal, run
from tests.conftest import mounted


def pull_model(reference, folder=None):
    """What `digits pull` does: the model that `reference` names, and the folder it was put into."""
    model = model_reference.resolve(reference)
    return model, published_model.pull_model(model, folder)


def content(folder):
    """Every file of a folder with its bytes; a link with what it points to."""
    return {
        str(p.relative_to(folder)): p.readlink() if p.is_symlink() else p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_symlink() or p.is_file()
    }


def test_the_champion_comes_to_a_folder_of_its_own(versions, capsys):
    """Named by its version; a second pull finds it there; a subfolder as cwd changes nothing."""
    assert run("pull") == 0
    assert "digits-2 is in models/pulled/digits-2" in capsys.readouterr().out

    folder = versions / "models/pulled/digits-2"
    assert content(folder) == content(versions / "model-2")
    run_id = model_manifest.check_files(folder)["run_id"]
    os.chdir(versions / "models")
    assert pull_model("2") == pull_model(run_id) == (pull_model("champion")[0], folder)


def test_a_folder_that_may_be_filled_is_filled(versions):
    """A new one, an empty one, and one with a model that was pulled before."""
    (versions / "empty").mkdir()
    pull_model("1", versions / "pulled")

    for place in ("new", "other/deep/er", "empty", "pulled"):
        _, folder = pull_model("champion", versions / place)
        assert content(folder) == content(versions / "model-2")
        assert not list(folder.parent.glob(".*.partial"))
        assert not list(folder.parent.glob(".*.old"))


def another_model(path):
    """A whole model that was not pulled."""
    sealed.seal(path, seed=9)


def an_edited_model(path):
    """A pulled model that somebody changed."""
    pull_model("1", path)
    (path / "manifest.json").write_text("{}")


def a_model_with_notes(path):
    """A pulled model beside which somebody wrote something."""
    pull_model("1", path)
    (path / "notes.txt").write_text("mine")


def a_link(path):
    """A link to a folder, even to an empty one."""
    (path.parent / "elsewhere").mkdir()
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("make", [another_model, an_edited_model, a_model_with_notes, a_link])
def test_what_somebody_made_is_never_overwritten(versions, capsys, make):
    """One line, status 2, everything as before."""
    make(versions / "place")
    before = content(versions)
    model_reference.resolve("champion")

    message = refusal(capsys, "pull", "champion", "--to", "place")
    assert "was not pulled; move it away" in message
    internal = (".state/", ".dvc/tmp/")  # files of this project's and of DVC's own
    after = {k: v for k, v in content(versions).items() if not k.startswith(internal)}
    assert after == {k: v for k, v in before.items() if not k.startswith(internal)}


def test_a_refused_model_leaves_the_previous_one(versions, capsys):
    """The registry was tampered with: what was pulled before stays, byte by byte."""
    pull_model("1", versions / "place")
    before = content(versions / "place")
    for graph in versions.glob("mlartifacts/**/model.onnx"):
        graph.write_bytes(b"changed")

    message = refusal(capsys, "pull", "2", "--to", "place")
    assert "was changed: model.onnx has 7 bytes; do not use it" in message
    assert content(versions / "place") == before


@pytest.mark.parametrize("place", [".state/models", "models/pulled"])
def test_a_full_disk_leaves_nothing(versions, capsys, place):
    """One line, status 2, no part of a model."""
    with mounted(versions / place, "size=64k") as folder:
        assert "No space left on device" in refusal(capsys, "pull")
        assert list(folder.iterdir()) == []


def test_two_at_once_leave_one_whole_model(versions):
    """Two pulls of one model into one folder do not disturb each other."""
    started = [processes.Process("digits", "pull") for _ in range(2)]
    for process in started:
        process.communicate()

    assert [process.returncode for process in started] == [0, 0]
    folder = versions / "models/pulled/digits-2"
    assert model_integrity.check_model(folder)
    assert [p.name for p in folder.parent.iterdir()] == ["digits-2"]
