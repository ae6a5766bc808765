"""Git and DVC return what they stored; changed, missing and invalid objects are errors."""

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
    """A git checkout in which DVC tracks two folders and one file."""
    folder = shutil.copytree(once("tracked", _track), tmp_path / "checkout")
    index = f"[core]\n    site_cache_dir = {tmp_path / 'site'}\n"  # DVC's index of folder listings
    (folder / ".dvc/config.local").write_text(index)
    monkeypatch.chdir(folder)
    return folder


def _track(folder):
    """Create that checkout in a new folder."""
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
    """The path of an object in DVC's cache."""
    return checkout / ".dvc/cache/files/md5" / oid[:2] / oid[2:]


def tamper(path, content):
    """Replace the bytes of an object."""
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)  # DVC believes such a file without reading it


def test_a_revision_is_read_as_it_was_committed(checkout, tmp_path):
    """Files of DVC and of git and nested folders are read, also when they are deleted here."""
    for name in ("file", "folder/a", ".gitignore"):
        (checkout / name).unlink()
    with dvc_storage.open_revision(git_revisions.resolve_commit("HEAD")) as revision:
        revision.get("/folder", str(tmp_path / "back"), recursive=True)
        assert revision.read_bytes("/file") == b"file"
        assert revision.read_bytes("/.gitignore").startswith(b".dvc/cache")

    paths = {p.relative_to(tmp_path / "back").as_posix() for p in tmp_path.glob("back/**/*")}
    assert paths == {"a", "b", "deep", "deep/c"}
    assert (tmp_path / "back/deep/c").read_text() == "folder/deep/c"


def test_objects_are_named_by_their_bytes(checkout):
    """A folder has the objects of its files; a changed object is an error and is not deleted."""
    with dvc_storage.open_storage() as storage:
        outputs = storage.outputs()
        members = storage.members(outputs["folder"])
        files = (checkout / "folder" / name for name in ("a", "b", "deep/c"))
        oids = set(map(dvc_storage.md5_of_file, files))
        assert outputs.keys() == {"folder", "flat", "file"}
        assert outputs["flat"] == dvc_storage.folder_object_id(checkout / "flat")
        assert members == {outputs["folder"], *oids}
        assert storage.members(outputs["file"]) == {dvc_storage.md5_of_file(checkout / "file")}
        assert storage.cache.intact_objects(members) == members
        path = stored(checkout, min(oids))
        tamper(path, b"changed")
        words = "in DVC's cache was changed: its bytes have the"
        with pytest.raises(DamagedObjectError, match=words):
            storage.cache.intact_objects(members)
    assert path.read_bytes() == b"changed"


def test_a_listing_with_a_path_outside_writes_nothing_there(checkout, tmp_path):
    """A folder whose listing was changed is an error, and no file is written outside of it."""
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


def test_an_invalid_listing_is_an_error_of_one_line(checkout):
    """The object's MD5 is right, but its content is not a list of files."""
    with dvc_storage.open_storage() as storage:
        for listing in ([{"md5": "x"}], ["evil"], {"md5": "x"}, 7, None):
            content = json.dumps(listing).encode()
            oid = hashlib.md5(content).hexdigest() + dvc_storage.FOLDER_SUFFIX
            tamper(stored(checkout, oid), content)
            with pytest.raises(UserError, match="cannot be read"):
                storage.members(oid)


def test_a_missing_object_is_an_error(checkout):
    """An object that is in neither the cache nor a remote has to be pushed."""
    stored(checkout, dvc_storage.md5_of_file(checkout / "file")).unlink()
    error = pytest.raises(ObjectNotFoundError, match="not in DVC's cache or remote; push it there")
    with error, dvc_storage.open_revision("HEAD") as revision:
        revision.read_bytes("/file")


def test_a_remote_that_never_answers_is_reported_within_seconds(checkout, monkeypatch):
    """The SSH server accepts connections and sends nothing; SSH itself waits for half an hour."""
    monkeypatch.setattr(dvc_storage, "TIMEOUT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ssh://nobody@127.0.0.1:{server.getsockname()[1]}/x"
        (checkout / ".dvc/config.local").write_text(f"['remote \"far\"']\n    url = {url}\n")
        with dvc_storage.open_storage() as storage:
            assert storage.remotes == []
            assert "remote 'far' cannot be read (TimeoutError" in str(storage.unreachable)


def test_invalid_settings_of_dvc_are_an_error(checkout):
    """DVC's own error becomes one sentence."""
    (checkout / ".dvc/config").write_text("[core]\n    no_scm = perhaps\n")

    with pytest.raises(UserError, match="DVC failed"), dvc_storage.open_storage():
        pass


def test_an_unknown_revision_is_an_error(checkout):
    """So is any revision in a folder without a git repository."""
    for name in ("nix", "--help", "", "a b", "HEAD^{tree}", "HEAD"):
        if name == "HEAD":
            (checkout / ".git").rename(checkout / "elsewhere")
        with pytest.raises(RevisionNotFoundError, match="git has no revision"):
            git_revisions.resolve_commit(name)
