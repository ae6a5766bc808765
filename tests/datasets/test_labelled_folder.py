"""Labelled pictures come from a table or from folders; what is wrong is told in one line."""

import pytest

from digits.datasets import labelled_folder
from digits.datasets.labelled_folder import LabelledFile
from digits.project.errors import UserError

CLASSES = [str(digit) for digit in range(10)]


@pytest.fixture
def folder(tmp_path):
    """A folder with three files in a sub-folder."""
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png", "ü.png"):
        (tmp_path / "in" / name).touch()
    return tmp_path


def read(folder, text, encoding="utf-8"):
    """What is read when labels.csv holds `text`."""
    (folder / "labels.csv").write_bytes(text.encode(encoding))
    return labelled_folder.read_labels(folder, CLASSES)


def test_a_table_gives_files_labels_and_writers(folder):
    """Files are relative to the table; other columns, blank lines and spaces do not matter."""
    found = read(folder, "note,Label ,file,writer\nx, 7,in/a.png,Ann\n\n,12/3,in/b.png\n")

    assert found == [
        LabelledFile(str(folder / "in/a.png"), "7", True, "Ann"),
        LabelledFile(str(folder / "in/b.png"), "12/3", False, ""),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_may_come_from_a_spreadsheet(folder, encoding, delimiter, end):
    """A byte order mark, semicolons or tabs, and Windows' ends of lines are fine."""
    lines = ["file,label", "in/ü.png,0", '"in/a.png","1"']

    found = read(folder, end.join(lines).replace(",", delimiter) + end, encoding)

    assert [(p.file[-5:], p.label) for p in found] == [("ü.png", "0"), ("a.png", "1")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "labels.csv begins with ''; expected columns `file,label`"),
        ("file,label\n", ": no labelled picture; expected"),
        ("file,label\nin/a.png,1\nin/c.png,2\n", "line 3: no file .*in/c.png"),
        ("file,label\nin,2\n", "line 2: no file"),
        ("file,label\nin/a.png,1\n./in/a.png,2\n", "line 3: ./in/a.png is listed twice"),
        ("file,label\nin/a.png,x\n", "line 2: the label is 'x'; expected one of 0, 1, "),
        ("file,label\nin/a.png\n", "line 2: the label is ''"),
        ('file,label\n"' + "x" * 200_000 + '",1\n', "line 2: field larger"),
    ],
)
def test_a_wrong_table_is_told_in_one_line(folder, text, words):
    """What was found, where, and what was expected."""
    with pytest.raises(UserError, match=rf"^[^\n]*{words}[^\n]*$"):
        read(folder, text)


def test_a_table_in_another_encoding_is_refused(folder):
    """Latin 1 is told from UTF-8."""
    with pytest.raises(UserError, match="is not UTF-8"):
        read(folder, "file,label\nin/ü.png,1\n", "latin-1")


def test_sub_folders_may_be_the_labels(folder):
    """One folder per class; files that are no pictures and hidden folders are left out."""
    (folder / "in").rename(folder / "4")
    (folder / "0").mkdir()
    (folder / ".git").mkdir()
    (folder / "4/notes.txt").touch()

    found = labelled_folder.read_labels(folder, CLASSES)

    assert {p.label for p in found} == {"4"}
    assert [p.file[-5:] for p in found] == ["a.png", "b.png", "ü.png"]


def test_a_class_without_pictures_is_told(tmp_path):
    """Its folder alone is no set of pictures."""
    (tmp_path / "5").mkdir()

    with pytest.raises(UserError, match=r"^[^\n]*5?: no labelled picture; expected[^\n]*$"):
        labelled_folder.read_labels(tmp_path, CLASSES)
