"""A folder of one's own becomes three splits, and stays as it is."""

import hashlib

import cv2
import numpy as np
import pytest

from digits.datasets import split_dataset, split_files
from digits.project import params_file
from digits.project.errors import UserError

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """Twenty images of each of three classes, 20 x 12 pixels, in color; spaces and Unicode."""
    root = tmp_path / "my pictures ü"
    for name in ("cat", "Hund é", "10"):
        (root / name).mkdir(parents=True)
        for i in range(20):
            write(root / name / f"{i} x.png")
    return root


def write(path, pixels=None):
    """Write an image; a random one if there are no pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (12, 20, 3), np.uint8) if pixels is None else pixels
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


@pytest.fixture
def split(tmp_path, values, folder):
    """A function: changes of the section `data` -> the three splits of the folder."""
    values["data"] |= {"source": "folder", "path": str(folder), "kind": "images"}
    values["data"] |= {"size": 16, "channels": 3, "test": 0.2}
    paths = {name: tmp_path / f"{name}.npz" for name in ("train", "validation", "test")}

    def divided(**changes):
        params = params_file.check_params({**values, "data": values["data"] | changes}, "test")
        names = {"split": "split.json", "data": "data.json", "page": "data.html"}
        reports = {key: tmp_path / name for key, name in names.items()}
        split_dataset.write_splits(params.data, params.split, tmp_path, paths, reports)
        return {name: split_files.load(path) for name, path in paths.items()}

    return divided


def test_a_folder_becomes_splits_and_keeps_its_bytes_and_times(folder, split):
    """Classes are sorted, images have the format's shape, and no file of the folder changes."""

    def state():
        files = sorted(p for p in folder.rglob("*"))
        return [
            (p, p.stat().st_mtime_ns, p.is_file() and hashlib.sha256(p.read_bytes()).digest())
            for p in files
        ]

    before = state()
    parts = split()

    assert state() == before
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 43, "validation": 5, "test": 12,
    }  # fmt: skip
    assert parts["test"].classes == ("10", "Hund é", "cat")
    assert len(set(parts["train"].files)) == 43
    for file, label in zip(parts["train"].files, parts["train"].labels, strict=True):
        assert (folder / file).parent.name == parts["train"].classes[label]
    assert parts["train"].images.shape == (43, 16, 16, 3)
    assert np.bincount(parts["test"].labels).tolist() == [4, 4, 4]


def test_glyphs_are_found_and_centered_at_any_size(folder, split, official):
    """Digits in the corner of dark-on-light images become glyphs of 40 x 40 pixels."""
    for label, name in enumerate(("10", "cat", "Hund é")):
        chosen = official.images[official.labels == label][:20]
        for i, digit in enumerate(chosen):
            page = np.full((80, 120), 230, np.uint8)
            page[10:66, 4:60] -= cv2.resize(digit, (56, 56)) // 2
            write(folder / name / f"{i} x.png", page)
    parts = split(kind="glyphs", size=40, channels=1)

    mass = parts["train"].images.astype(float).mean(0)
    center = [(mass.sum(axis) * np.arange(40)).sum() / mass.sum() for axis in (0, 1)]
    assert np.abs(np.array(center) - 20).max() < 0.5
    assert parts["train"].images[:, [0, -1]].max() == 0


def test_an_equal_image_in_another_split_is_dropped_from_training(folder, split, capsys):
    """Each of ten images is three times in the folder, under other names and compressions."""
    for i in range(10):
        pixels = RNG.integers(0, 256, (12, 20, 3), np.uint8)
        write(folder / f"10/a{i}.png", pixels)
        for j, level in enumerate((0, 9)):
            encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, level])[1]
            (folder / f"10/b{i}{j}.png").write_bytes(encoded.tobytes())
    parts = split()

    content = [{image.tobytes() for image in part.images} for part in parts.values()]
    assert not content[0] & content[1]
    assert not (content[0] | content[1]) & content[2]
    assert sum(map(len, parts.values())) < 90
    assert "equal ones are in another split" in capsys.readouterr().out


def test_split_folders_are_recognized(folder, split):
    """Train and test are no classes: their class folders are, and the test images stay."""
    for name in ("train", "val"):
        (folder / name).mkdir()
    for label in ("cat", "10", "Hund é"):
        (folder / label).rename(folder / "train" / label)
        write(folder / "val" / label / "v.png")
        write(folder / "exam" / label / "t.png")
    parts = split(test="exam")

    assert {name: len(part) for name, part in parts.items()} == {
        "train": 60, "validation": 3, "test": 3,
    }  # fmt: skip
    (folder / "exam").rename(folder / "Test")
    assert len(split(test="official")["test"]) == 3


def test_a_table_gives_splits_and_groups(folder, split):
    """The columns split and group decide, and writer is read as group."""
    rows = [
        f"{label}/{i} x.png,{label} / é,{'test' if i < 4 else ''},w{i}"
        for label in ("cat", "10") for i in range(20)
    ]  # fmt: skip
    text = "\n".join(["file,label,split,writer", *rows])
    (folder / "labels.csv").write_text(text, encoding="utf-8-sig")
    parts = split(test="split", group="column")

    assert parts["test"].classes == ("10 / é", "cat / é")
    assert [len(part) for part in parts.values()] == [28, 4, 8]


def test_a_class_that_the_test_lacks_is_reported(folder, split, capsys, tmp_path):
    """Training goes on; a class that the test alone has is an error, and nothing is written."""
    write(folder / "exam/cat/t.png")
    write(folder / "exam/10/t.png")
    assert np.bincount(split(test="exam")["test"].labels).tolist() == [1, 0, 1]
    sentence = "Class Hund é has no image in test"
    assert sentence in capsys.readouterr().out
    assert sentence in (tmp_path / "data.html").read_text()

    before = (tmp_path / "test.npz").stat().st_mtime_ns
    write(folder / "exam/bird/t.png")
    with pytest.raises(UserError, match="class bird has images in the test or validation alone"):
        split(test="exam")
    assert (tmp_path / "test.npz").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: p.write_bytes(b""), "an empty file"),
        (lambda p: p.write_bytes(p.read_bytes()[:60]), "a damaged PNG image"),
        (lambda p: p.write_bytes(b"\0" * 900), "not an image; PNG"),
        (lambda p: p.write_bytes(flip(p.read_bytes())), "a damaged PNG image"),
    ],
)
def test_unreadable_files_are_named_and_stop_or_are_skipped(folder, split, damage, words, capsys):
    """Each is named with its reason; nothing is written where the run stops."""
    damage(folder / "cat/3 x.png")
    with pytest.raises(UserError, match=r"^1 of 60 images cannot be read, 3 x.png is the first"):
        split()
    assert words in capsys.readouterr().err
    assert sum(map(len, split(unreadable="skip").values())) == 59


def flip(content):
    """Change a byte of the pixels."""
    return content[:200] + bytes([content[200] ^ 255]) + content[201:]


@pytest.mark.parametrize(
    ("change", "changes", "words"),
    [
        (lambda f: (f / "dog").mkdir(), {}, "the class folder dog has no image; remove it"),
        (lambda f: write(f / "Cat/1.png"), {}, "the classes 'Cat' and 'cat' differ in case or"),
        (lambda f: write(f / "Hund e\u0301/1.png"), {}, "differ in case or Unicode form alone"),
        (lambda f: write(f / "a\nb/1.png"), {}, r"the class name 'a\\nb' cannot be used"),
        (lambda f: write(f / "test/1.png"), {}, "test has the name of a split and no class fold"),
        (lambda _: None, {"group": "column"}, "data.group is column, and there is no labels.csv"),
        (lambda _: None, {"group": "folder"}, "0 x.png is in no folder below its class"),
        (lambda _: None, {"test": "exam"}, "data.test is exam; expected a folder in "),
        (lambda _: None, {"test": "official"}, "the source names no test images"),
        (lambda _: None, {"path": "gone"}, "gone: no such folder"),
        (lambda _: None, {"path": "/dev/null/x"}, "no such folder"),
        (lambda f: table(f, "file,label\ncat/0 x.png,\n"), {}, "line 2: the label is ''"),
        (lambda f: table(f, "file\ncat/0 x.png\n"), {}, "begins with 'file'; expected columns"),
        (lambda f: table(f, "file,label\ncat/0 x.png,a\n"), {"group": "column"}, "no column group"),
        (lambda f: table(f, "file,label\ncat/0 x.png,a\n"), {"test": "split"}, "no column split"),
        (
            lambda f: table(f, "file,label,split\r\ncat/0 x.png,a,exam\r\n"),
            {"test": "split"},
            "line 2: the split is 'exam'; expected train, validation, test, or nothing",
        ),
        (
            lambda f: table(f, "file,label\ncat/0 x.png,a\ncat/0 x.png,b\n"),
            {},
            "line 3: cat/0 x.png is listed twice, as 'a' and as 'b'",
        ),
        (
            lambda f: (write(f.parent / "o.png"), table(f, "file,label\n../o.png,a\n")),
            {},
            "outside of data.path; move it inside",
        ),
    ],
)
def test_a_wrong_folder_is_an_error_of_one_line(folder, split, tmp_path, change, changes, words):
    """What was found, what was expected, what to do; nothing is written."""
    change(folder)
    with pytest.raises(UserError, match=rf"^[^\n]*{words}[^\n]*$"):
        split(**changes)
    assert not list(tmp_path.glob("*.npz"))


def table(folder, text):
    """Write labels.csv."""
    (folder / "labels.csv").write_bytes(text.encode())
