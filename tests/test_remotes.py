"""Models come out of a remote as they went in: a folder, SSH and S3, none of them a mock."""

import os
import shutil
import subprocess

import pytest

from digits.datasets import split_files
from digits.inference import classifier, model_integrity
from digits.project import dvc_storage
from digits.project.errors import UserError
from digits.registry import model_reference, version_download
from tests import processes, remotes, sealed
from tests.conftest import call

FILES = sorted(model_integrity.MODEL_FILES)


@pytest.fixture(scope="module")
def origin(built, tmp_path_factory):
    """A checkout whose model is built and tagged v1.0."""
    folder = shutil.copytree(built, tmp_path_factory.mktemp("origin") / "digits")
    call(folder, "git", "tag", "v1.0")
    person = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    call(folder, "git", *person, "tag", "-am", "one", "digits@v1.0.0")  # as `gto register` does
    return folder


@pytest.fixture(scope="module", params=remotes.KINDS)
def remote(request, origin, tmp_path_factory):
    """A remote of each kind, to which the model was pushed."""
    if request.param == "ssh" and remotes.SSHD is None:
        pytest.skip("no sshd here")
    found = remotes.KINDS[request.param](tmp_path_factory.mktemp(request.param))
    remotes.configure(origin, found)
    call(origin, "dvc", "push", "models/digits")
    yield found
    found.close()


@pytest.fixture
def fresh(origin, remote, tmp_path, monkeypatch):
    """A new clone that knows the remote and has neither cache nor model, as working directory."""
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", origin, folder], check=True)
    remotes.configure(folder, remote)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


@pytest.fixture(scope="module")
def objects(origin):
    """The objects of the model by their names, that of the folder under ''."""
    model = origin / "models/digits"
    return {"": dvc_storage.folder_object_id(model)} | {
        n: dvc_storage.md5_of_file(model / n) for n in FILES
    }


def assert_same(folder, origin):
    """The model in `folder` is the one that was built."""
    for name in FILES:
        assert (folder / name).read_bytes() == (origin / "models/digits" / name).read_bytes()


def test_digits_pulls_the_model_of_a_tag(fresh, origin, remote):
    """`digits pull v1.0` brings what was pushed, checked; afterwards no remote is needed."""
    told = processes.run("digits", "pull", "v1.0").stdout
    (fresh / ".dvc/config.local").write_text("['remote \"there\"']\n    url = /nowhere\n")

    model = model_reference.resolve("v1.0")
    folder = fresh / "models/pulled" / model.name
    assert_same(folder, origin)
    assert_same(model.folder, origin)
    assert os.path.relpath(folder, fresh) in told
    assert call(fresh, "git", "status", "--porcelain").stdout == ""


def flip(content):
    """One bit in the middle."""
    changed = bytearray(content)
    changed[len(content) // 2] ^= 16
    return bytes(changed)


def tamperings(objects, forged):
    """What is done to which objects: pairs of a name and a function of the remote.

    The first three differ from remote to remote; `forged` is a manifest that fits the other files.
    """
    listing, first, second = objects[""], objects["weights.pt"], objects["model.onnx"]
    elsewhere = b'[{"md5": "%s", "relpath": "../evil"}]' % first.encode()
    yield "gone weights.pt", lambda r: r.remove(first)
    yield "flipped model.onnx", lambda r: r.write(second, flip(r.read(second)))
    yield "another listing", lambda r: r.write(listing, elsewhere)
    yield "gone listing", lambda r: r.remove(listing)
    for name in ("", "manifest.json", "weights.pt"):
        yield f"flipped {name}", lambda r, o=objects[name]: r.write(o, flip(r.read(o)))
    yield "another run", lambda r: r.write(objects["manifest.json"], forged)
    yield "truncated", lambda r: r.write(first, r.read(first)[:-1])
    yield "empty", lambda r: r.write(second, b"")
    yield "swapped files", lambda r: r.write(first, r.read(second))


def test_whatever_is_changed_in_a_remote_is_refused(fresh, origin, remote, objects, tmp_path):
    """Damage and fraud of all kinds, one at a time; what is clean is taken afterwards.

    All of them in the folder, and three where each takes a connection of its own.
    """
    forged = shutil.copytree(origin / "models/digits", tmp_path / "forged")
    sealed.reseal(forged, run_id="1" * 32)
    clean = {oid: remote.read(oid) for oid in objects.values()}
    accepted = []
    every = list(tamperings(objects, (forged / "manifest.json").read_bytes()))
    for name, tamper in every if type(remote) is remotes.Folder else every[:3]:
        tamper(remote)
        try:
            told = outcome("v1.0")
        finally:
            for oid, content in clean.items():
                restore(remote, oid, content)
        assert told.count("\n") == 0
        if not told:
            accepted.append(name)
        assert not any(version_download.cached_folder("x").parent.glob("*"))
    assert accepted == []
    assert model_integrity.check_model(model_reference.resolve("v1.0").folder)


def outcome(revision):
    """The sentence with which a model is refused; empty when it is taken."""
    try:
        model_reference.resolve(revision)
    except UserError as error:
        return str(error)
    return ""


def restore(remote, oid, content):
    """Make an object what it was."""
    try:
        unchanged = remote.read(oid) == content
    except Exception:  # each kind has its own for what is not there
        unchanged = False
        if isinstance(remote, remotes.Folder):
            remote._path(oid).touch()
    if not unchanged:
        remote.write(oid, content)


def test_a_second_clone_has_everything(origin, tmp_path, monkeypatch):
    """Given the remote and the tracking URL: the champion predicts, and there is nothing to do.

    `dvc artifacts get` brings the same bytes to where no clone is.
    """
    remotes.configure(origin, remotes.Folder(tmp_path / "shared"))
    call(origin, "dvc", "push")
    folder = tmp_path / "elsewhere" / "clone"
    subprocess.run(["git", "clone", "-q", origin, folder], check=True)
    shutil.copy(origin / ".dvc/config.local", folder / ".dvc")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{origin / 'mlflow.db'}")

    champion = model_reference.resolve("champion").folder
    model = classifier.load(champion)
    call(folder, "dvc", "pull")
    pictures = split_files.load(folder / "data/splits/validation.npz")
    right = (model.logits(pictures.images).argmax(1) == pictures.labels).mean()

    assert_same(champion, origin)
    assert_same(folder / "models/digits", origin)
    assert right > 0.5
    assert "up to date" in call(folder, "dvc", "repro").stdout
    get = ("dvc", "artifacts", "get", origin, "digits", "--rev", "v1.0.0", "-o", "got")
    call(tmp_path, *get)
    assert_same(tmp_path / "got", origin)
