"""Labels come from a table or from sub-folders; a wrong table is an error of one line."""

import pytest

from digits.datasets import labelled_folder
from digits.datasets.folder_layout import LabelledFile
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
    """Read the labels when labels.csv contains `text`."""
    (folder / "labels.csv").write_bytes(text.encode(encoding))
    return labelled_folder.read_labels(folder, CLASSES)


def test_a_table_gives_files_labels_and_writers(folder):
    """Files are relative to the table; other columns, blank lines and spaces do not matter."""
    labels = read(folder, "note,Label ,file,writer\nx, 7,in/a.png,Ann\n\n,12/3,in/b.png\n")

    assert labels == [
        LabelledFile(str(folder / "in/a.png"), "7", True, "Ann"),
        LabelledFile(str(folder / "in/b.png"), "12/3", False, ""),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_may_come_from_a_spreadsheet(folder, encoding, delimiter, end):
    """A byte order mark, semicolons or tabs, and line ends of Windows are accepted."""
    lines = ["file,label", "in/ü.png,0", '"in/a.png","1"']

    labels = read(folder, end.join(lines).replace(",", delimiter) + end, encoding)

    assert [(p.file[-5:], p.label) for p in labels] == [("ü.png", "0"), ("a.png", "1")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "labels.csv begins with ''; expected columns `file,label`"),
        ("file,label\n", ": no labelled image; expected"),
        ("file,label\nin/a.png,1\nin/c.png,2\n", "line 3: no file .*in/c.png"),
        ("file,label\nin,2\n", "line 2: no file"),
        ("file,label\nin/a.png,1\n./in/a.png,2\n", "line 3: ./in/a.png is listed twice"),
        ("file,label\nin/a.png,x\n", "line 2: the label is 'x'; expected one of 0, 1, "),
        ("file,label\nin/a.png\n", "line 2: the label is ''"),
        ('file,label\n"' + "x" * 200_000 + '",1\n', "line 2: field larger"),
    ],
)
def test_a_wrong_table_is_an_error_of_one_line(folder, text, words):
    """The error says what was found, in which line, and what was expected; Latin 1 is refused."""
    with pytest.raises(UserError, match="is not UTF-8"):
        read(folder, "file,label\nin/ü.png,1\n", "latin-1")
    with pytest.raises(UserError, match=rf"^[^\n]*{words}[^\n]*$"):
        read(folder, text)


def test_sub_folders_may_be_the_labels(folder):
    """There is one folder per class; other files and hidden folders are skipped."""
    (folder / "in").rename(folder / "4")
    (folder / "0").mkdir()
    (folder / ".git").mkdir()
    (folder / "4/notes.txt").touch()

    labels = labelled_folder.read_labels(folder, CLASSES)

    assert {p.label for p in labels} == {"4"}
    assert [p.file[-5:] for p in labels] == ["a.png", "b.png", "ü.png"]


def test_folders_without_images_are_an_error(tmp_path):
    """The folder of a class alone is not enough."""
    (tmp_path / "5").mkdir()

    with pytest.raises(UserError, match=r"^[^\n]*5?: no labelled image; expected[^\n]*$"):
        labelled_folder.read_labels(tmp_path, CLASSES)
