"""Names on a command line become image files, and files become bytes or an error of one line."""

import io
import os
import sys
from types import SimpleNamespace

import pytest

from digits.datasets import image_files
from digits.datasets.image_files import list_folder, list_images, read_image_bytes
from digits.project.errors import UserError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A working directory of image files and other files in folders."""
    monkeypatch.chdir(tmp_path)
    names = ["b.PNG", "a/2.jpg", "a/10.jpg", "a/deep/x.tiff", "scan", "labels.csv", "notes.txt"]
    for name in [*names, ".hidden.png", ".git/y.png", "a-b/z.png", "Thumbs.db"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"content of " + name.encode())
    (tmp_path / "empty").mkdir()
    (tmp_path / "a/loop").symlink_to(tmp_path)
    return tmp_path


def test_a_folder_is_searched_in_the_order_of_names(tree):
    """All images below it are listed; hidden files, other files and links to folders are not."""
    expected = ["a/10.jpg", "a/2.jpg", "a/deep/x.tiff", "a-b/z.png", "b.PNG", "scan"]

    assert list(list_folder(".")) == [f"./{name}" for name in expected]


def test_patterns_are_expanded(tree):
    """Wildcards match files and folders, sorted; a file with exactly that name comes first."""
    assert list(list_images(["a/*.jpg"])) == ["a/10.jpg", "a/2.jpg"]
    assert list(list_images(["?/deep"])) == ["a/deep/x.tiff"]
    (tree / "[1].png").touch()
    assert list(list_images(["[1].png"])) == ["[1].png"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty", "empty: a folder without images"),
        ("*.webp", r"\*.webp: no file matches"),
        ("a\0b", "'a\\\\x00b': "),
        ("b.PNG/c.png", "b.PNG/c.png: Not a directory"),
    ],
)
def test_a_name_without_a_file_is_an_error_of_one_line(tree, name, words):
    """Such a name is listed, and reading it raises an error that explains it."""
    assert list(list_images([name])) == [name]
    with pytest.raises(UserError, match=rf"^{words}[^\n]*$"):
        read_image_bytes(name)


def test_bytes_come_from_files_pipes_and_standard_input(tree, monkeypatch):
    """Regular files, named pipes and `-` are read to their end."""
    assert read_image_bytes("scan") == b"content of scan"
    read, write = os.pipe()
    os.write(write, b"from a pipe")
    os.close(write)
    assert read_image_bytes(f"/dev/fd/{read}") == b"from a pipe"
    os.close(read)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"typed")))
    assert read_image_bytes("-") == b"typed"


@pytest.mark.parametrize("name", ["large.png", "/dev/zero"])
def test_a_file_that_is_too_large_is_not_read(tree, monkeypatch, name):
    """A huge file and an endless one are errors of one line."""
    monkeypatch.setattr(image_files, "MAX_FILE_BYTES", 2**20)
    with (tree / "large.png").open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(UserError, match="more than 1 MiB; an image was expected"):
        read_image_bytes(name)
