"""What git and DVC keep is found and read as it was written; what only looks like it is refused."""

import hashlib
import json
import shutil
import socket
import subprocess
import sys

import pytest

from digits.project import dvc_storage, git_revisions
from digits.project.dvc_storage import DamagedObjectError, ObjectNotFoundError
from digits.project.errors import UserError
from digits.project.git_revisions import RevisionNotFoundError
from tests.conftest import commit


@pytest.fixture
def checkout(once, tmp_path, monkeypatch):
    """A git checkout in which DVC keeps two folders and one file."""
    folder = shutil.copytree(once("tracked", _track), tmp_path / "checkout")
    site = f"[core]\n    site_cache_dir = {tmp_path / 'site'}\n"  # with its index of listings
    (folder / ".dvc/config.local").write_text(site)
    monkeypatch.chdir(folder)
    return folder


def _track(folder):
    """Make that checkout of a new folder."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (folder / ".gitignore").write_text(".dvc/cache\n.dvc/config.local\n.dvc/tmp\n")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    for name in ("folder/b", "folder/a", "folder/deep/c", "flat/z", "flat/a", "file"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    subprocess.run(["git", "init", "-q", folder], check=True)
    command = [sys.executable, "-m", "dvc", "add", "-q", "folder", "flat", "file"]
    subprocess.run(command, cwd=folder, check=True)
    commit(folder, "one")


def stored(checkout, oid):
    """Where DVC keeps an object."""
    return checkout / ".dvc/cache/files/md5" / oid[:2] / oid[2:]


def tamper(path, content):
    """Give an object other bytes."""
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)  # DVC believes such a file without reading it


def test_a_revision_comes_back_as_it_was(checkout, tmp_path):
    """Files and folders, deep ones too, also when they are gone here; git's files as well."""
    for name in ("file", "folder/a", ".gitignore"):
        (checkout / name).unlink()
    with dvc_storage.open_revision(git_revisions.resolve_commit("HEAD")) as revision:
        revision.get("/folder", str(tmp_path / "back"), recursive=True)
        assert revision.read_bytes("/file") == b"file"
        assert revision.read_bytes("/.gitignore").startswith(b".dvc/cache")

    found = {p.relative_to(tmp_path / "back").as_posix() for p in tmp_path.glob("back/**/*")}
    assert found == {"a", "b", "deep", "deep/c"}
    assert (tmp_path / "back/deep/c").read_text() == "folder/deep/c"


def test_objects_are_named_by_their_bytes_and_read_whole(checkout):
    """A folder is all of its files; one that was changed is told, and stays for a person to see."""
    with dvc_storage.open_storage() as storage:
        outputs = storage.outputs()
        members = storage.members(outputs["folder"])
        names = {
            dvc_storage.md5_of_file(checkout / "folder" / name) for name in ("a", "b", "deep/c")
        }
        assert outputs.keys() == {"folder", "flat", "file"}
        assert outputs["flat"] == dvc_storage.folder_object_id(checkout / "flat")  # as a model is
        assert members == {outputs["folder"], *names}
        assert storage.members(outputs["file"]) == {dvc_storage.md5_of_file(checkout / "file")}
        assert storage.cache.intact_objects(members) == members
        path = stored(checkout, min(names))
        tamper(path, b"changed")
        with pytest.raises(
            DamagedObjectError, match="in DVC's cache was changed: its bytes have the"
        ):
            storage.cache.intact_objects(members)
    assert path.read_bytes() == b"changed"


def test_a_listing_that_leads_elsewhere_writes_nothing_there(checkout, tmp_path):
    """Somebody put it into the cache: nothing is written outside of the folder asked for."""
    with dvc_storage.open_storage() as storage:
        oid = storage.outputs()["folder"]
    listing = [{"md5": dvc_storage.md5_of_file(checkout / "file"), "relpath": "../evil"}]
    before = sorted(tmp_path.iterdir())
    tamper(stored(checkout, oid), json.dumps(listing).encode())

    with (
        pytest.raises(UserError, match="cannot be read"),
        dvc_storage.open_revision("HEAD") as revision,
    ):
        revision.get("/folder", str(checkout / "back/folder"), recursive=True)
    assert not (checkout / "back").exists()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("listing", [[{"md5": "x"}], ["evil"], {"md5": "x"}, 7, None])
def test_what_is_no_listing_is_told_in_one_line(checkout, listing):
    """Its hash fits, so nobody changed it; it is no list of files."""
    content = json.dumps(listing).encode()
    oid = hashlib.md5(content).hexdigest() + dvc_storage.FOLDER_SUFFIX
    tamper(stored(checkout, oid), content)

    with dvc_storage.open_storage() as storage, pytest.raises(UserError, match="cannot be read"):
        storage.members(oid)


def test_an_object_that_is_nowhere_is_told(checkout):
    """Neither in the cache nor in a remote: push it where it was made."""
    stored(checkout, dvc_storage.md5_of_file(checkout / "file")).unlink()
    told = pytest.raises(ObjectNotFoundError, match="not in DVC's cache or remote; push it there")
    with told, dvc_storage.open_revision("HEAD") as revision:
        revision.read_bytes("/file")


def test_a_remote_that_takes_calls_and_says_nothing_is_told_in_seconds(checkout, monkeypatch):
    """An SSH server behind which nobody answers; its own time limit is half an hour."""
    monkeypatch.setattr(dvc_storage, "TIMEOUT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ssh://nobody@127.0.0.1:{server.getsockname()[1]}/x"
        (checkout / ".dvc/config.local").write_text(f"['remote \"far\"']\n    url = {url}\n")
        with dvc_storage.open_storage() as storage:
            assert storage.remotes == []
            assert "remote 'far' cannot be read (TimeoutError" in str(storage.unreachable)


def test_a_remote_that_dvc_does_not_know_is_told(checkout):
    """Settings that DVC refuses: one sentence."""
    (checkout / ".dvc/config").write_text("[core]\n    no_scm = perhaps\n")

    with pytest.raises(UserError, match="DVC cannot be asked"), dvc_storage.open_storage():
        pass


@pytest.mark.parametrize("name", ["nix", "--help", "", "a b", "HEAD^{tree}"])
def test_what_is_no_revision_is_told(checkout, name):
    """Nor is a folder that git does not know."""
    with pytest.raises(RevisionNotFoundError, match="git has no revision"):
        git_revisions.resolve_commit(name)
    (checkout / ".git").rename(checkout / "elsewhere")
    with pytest.raises(RevisionNotFoundError, match="git has no revision"):
        git_revisions.resolve_commit("HEAD")
