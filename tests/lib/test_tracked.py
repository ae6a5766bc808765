"""What DVC tracks is found and read as DVC wrote it; what only looks like it is refused."""

import hashlib
import json
import subprocess
import sys

import pytest

from stages.lib import revisions, tracked
from stages.lib.errors import UserError
from stages.lib.tracked import AbsentError, DamagedError, Output


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout without git in which DVC keeps one folder and one file."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    for name in ("folder/b", "folder/a", "folder/deep/c", "file"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "dvc", "add", "-q", "folder", "file"]
    subprocess.run(command, check=True)
    return tmp_path


def kept(checkout, content, end=""):
    """Put an object into the cache, under the name that fits its bytes."""
    name = hashlib.md5(content).hexdigest()
    path = checkout / ".dvc/cache/files/md5" / name[:2] / (name[2:] + end)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return name + end


def test_outputs_come_back_as_they_were(checkout, tmp_path):
    """Files and folders, deep ones too, by the names that DVC gave them."""
    with tracked.storage() as storage:
        outputs = {out.path: out for out in storage.outputs(None)}
        for name in ("folder", "file"):
            storage.checkout(outputs[name], tmp_path / "back" / name)

    found = {p.relative_to(tmp_path / "back").as_posix() for p in tmp_path.glob("back/**/*")}
    assert found == {"folder", "folder/a", "folder/b", "folder/deep", "folder/deep/c", "file"}
    assert (tmp_path / "back/folder/deep/c").read_text() == "folder/deep/c"
    assert tracked.md5(tmp_path / "file") == outputs["file"].oid


def test_a_flat_folder_has_the_name_that_dvc_gives_it(checkout, tmp_path):
    """As models are."""
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("z", "a"):
        (flat / name).write_text(name)
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "flat"], check=True)

    with tracked.storage() as storage:
        (oid,) = [out.oid for out in storage.outputs(None) if out.path == "flat"]
    assert tracked.folder_oid(flat) == oid


@pytest.mark.parametrize(
    "listing",
    [
        [{"md5": "x", "relpath": "../evil"}],
        [{"md5": "x", "relpath": "a/../../evil"}],
        [{"md5": "x", "relpath": "/etc/evil"}],
        [{"md5": "x", "relpath": ""}],
        [{"md5": "x"}],
        ["evil"],
        {"md5": "x"},
        7,
        None,
    ],
)
def test_a_listing_that_leads_elsewhere_is_refused(checkout, tmp_path, listing):
    """Its hash fits, so only its paths tell; nothing is written."""
    oid = kept(checkout, json.dumps(listing).encode(), tracked.FOLDER)

    with tracked.storage() as storage, pytest.raises(DamagedError):
        storage.checkout(Output("folder", oid, 1), tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert not (tmp_path.parent / "evil").exists()


def test_an_object_that_is_nowhere_is_told(checkout, tmp_path):
    """Neither in the cache nor in a remote: `dvc push` where it was made."""
    with tracked.storage() as storage, pytest.raises(AbsentError, match="`dvc push` it where"):
        storage.obtain("0" * 32, tmp_path / "x")


def test_a_remote_that_dvc_does_not_know_is_told(checkout):
    """Settings that DVC refuses: one sentence."""
    (checkout / ".dvc/config").write_text("[core]\n    no_scm = perhaps\n")

    with pytest.raises(UserError, match="DVC cannot be asked"), tracked.storage():
        pass


@pytest.mark.parametrize("name", ["HEAD", "nix", "--help", "", "a b", "HEAD^{tree}"])
def test_without_git_there_is_no_revision(checkout, name):
    """A folder that git does not know."""
    with pytest.raises(revisions.NoRevisionError, match="git has no revision"):
        revisions.commit(name)
