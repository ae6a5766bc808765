"""`digits predict`: what it prints, what it returns, how it ends."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from stages.cli import app
from stages.lib import classifier, errors
from stages.lib.decode import decode
from stages.lib.preprocess import find
from tests.conftest import call
from tests.strokes import empty, packed, page

HEAVY = {"torch", "mlflow", "pandas", "matplotlib", "sklearn", "scipy", "optuna"}


def run(*arguments):
    """The exit status of `digits` with `arguments`."""
    try:
        return errors.guarded("digits", lambda: app([str(a) for a in arguments]))
    except SystemExit as end:
        return end.code


def picture(text, seed=0, **how):
    """A page with `text` as a Pillow image."""
    return Image.fromarray(page(text, np.random.default_rng(seed), **how))


def png_header(width, height):
    """A PNG that says how large it is, and ends after that."""
    body = b"IHDR" + width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    start = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    return start + (0).to_bytes(4) + b"IDAT" + zlib.crc32(b"IDAT").to_bytes(4)


@pytest.fixture
def project(tmp_path, monkeypatch, reader):
    """A project with a model, as the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    shutil.copytree(reader, tmp_path / "models/digits")
    return tmp_path


@pytest.fixture
def seven(project):
    """A picture of a seven in a project."""
    picture("7").save(project / "seven.png")
    return project / "seven.png"


def test_a_person_gets_a_line_per_picture(seven):
    """The command as a person runs it: file, digit, probability."""
    done = call(seven.parent, "digits", "predict", "seven.png")

    assert done.stdout.split()[:2] == ["seven.png", "7"]
    assert float(done.stdout.split()[2].rstrip("%")) > 50
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_it_starts_without_what_only_training_needs(seven):
    """No torch, MLflow, pandas, matplotlib or scipy is imported on the way to an answer."""
    code = "import sys; from stages import cli\ntry: cli.main()\nfinally: print(*sys.modules)"
    done = call(seven.parent, sys.executable, "-c", code, "predict", "seven.png")

    assert done.stdout.split()[:2] == ["seven.png", "7"]
    assert not HEAVY & set(done.stdout.split())


def test_standard_input_is_a_picture(seven):
    """`-` is read, alone or among files."""
    command = [sys.executable, "-m", "stages.cli", "predict", "-", "seven.png", "--json"]
    with seven.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=True)

    assert [(row["file"], row["digit"]) for row in json.loads(done.stdout)] == [
        ("-", 7),
        ("seven.png", 7),
    ]


def test_folders_and_patterns_are_taken_whole(project, capsys):
    """All pictures of a folder in order, and those of a pattern in quotes."""
    for digit in "3140":
        (project / f"in/{digit}").mkdir(parents=True)
        picture(digit).save(project / f"in/{digit}/x.png")
    (project / "in/labels.csv").write_text("file,label\n")

    assert run("predict", "in", "--csv") == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["digit"] for row in rows] == list("0134")
    assert run("predict", "in/?/x.png", "--csv") == 0
    assert list(csv.DictReader(capsys.readouterr().out.splitlines())) == rows


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_several_digits_are_a_text(project, capsys, form):
    """Found automatically or asked for; --single gives one digit whatever there is."""
    picture("2026/1122").save(project / "date.png")

    for choice in ([], ["--multi"]):
        assert run("predict", "date.png", *form, *choice) == 0
        assert "2026/1122" in capsys.readouterr().out
    assert run("predict", "date.png", "--single", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)[0]["text"]) == 1


def test_runners_up_are_told(seven, capsys):
    """--top gives as many as there are classes at most; probabilities fall and sum to 1."""
    assert run("predict", seven, "--json", "--top", 99) == 0
    (row,) = json.loads(capsys.readouterr().out)
    (top,) = row["top"]

    assert (top[0]["digit"], len(top)) == (7, 10)
    chances = [entry["probability"] for entry in top]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_an_empty_page_has_no_digit(project, capsys, form):
    """It is an answer, not an error: status 0, and every form says so."""
    Image.fromarray(empty(np.random.default_rng(0))).save(project / "empty.png")

    assert run("predict", "empty.png", *form) == 0
    assert "no digit" in capsys.readouterr().out


def bad_files():
    """Files that are no picture, each with what is said of it."""
    good = picture("7")
    png, jpeg = packed(good, "PNG"), packed(good, "JPEG")
    return {
        "text.png": (b"hello", "no picture"),
        "nothing.jpg": (b"", "an empty file"),
        "cut.png": (png[: len(png) // 2], "a damaged PNG picture"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "a damaged JPEG picture"),
        "head.png": (png[:20], "a damaged PNG picture"),
        "vast.png": (png_header(40_000, 40_000), "pixels"),
        "bomb.png": (packed(Image.new("1", (20_000, 20_000)), "PNG"), "pixels"),
        "page.pdf": (b"%PDF-1.7\n", "no picture"),
    }


BAD = bad_files()


@pytest.mark.parametrize("name", [*BAD, "folder", "nowhere.png", "*.webp"])
@pytest.mark.parametrize("form", ["--json", "--csv", None])
def test_a_bad_file_is_one_line_and_stops_nothing(seven, capsys, name, form):
    """Status 1 beside a good file, 2 alone; programs get a row with the status `error`."""
    (seven.parent / "folder").mkdir()
    words = {"folder": "a folder without pictures", "nowhere.png": "no such file"}.get(
        name, "no file"
    )
    if name in BAD:
        content, words = BAD[name]
        (seven.parent / name).write_bytes(content)
    extra = [form] if form else []

    assert run("predict", name, *extra) == 2
    assert run("predict", "seven.png", name, "seven.png", *extra) == 1
    told = capsys.readouterr()
    assert told.err.count("\n") == 2
    for line in told.err.splitlines():
        assert line.startswith(f"digits: {name}: ")
        assert words in line
    if form == "--json":
        rows = json.loads(told.out.partition("]\n")[2])
        assert [row["status"] for row in rows] == ["ok", "error", "ok"]
        assert words in rows[1]["error"]
        assert rows[1]["probability"] is None
    if form is None:
        assert told.out.count(" 7 ") == 2


def test_what_counts_is_the_content_not_the_name(project, capsys):
    """A picture is read under a wrong extension and without any."""
    data = packed(picture("7"), "PNG")
    for name in ("seven.txt", "seven", "seven.jpg"):
        (project / name).write_bytes(data)

    assert run("predict", "seven.txt", "seven", "seven.jpg", "--json") == 0
    assert [row["digit"] for row in json.loads(capsys.readouterr().out)] == [7, 7, 7]


def test_without_a_model_the_message_says_how_to_get_one(seven, capsys, tmp_path_factory):
    """No model, an altered one, no project: one line, status 2, nothing printed."""
    weights = seven.parent / "models/digits/weights.pt"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert run("predict", seven, "--json") == 2
    told = capsys.readouterr()
    assert told.err == (
        f"digits: {weights} differs from its manifest; get the model anew with `dvc checkout`\n"
    )
    assert told.out == ""
    shutil.rmtree(seven.parent / "models")
    assert run("predict", seven) == 2
    assert "no model here yet; `dvc repro` trains one" in capsys.readouterr().err
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert run("predict", seven) == 2
    assert "no dvc.yaml in" in capsys.readouterr().err


def test_a_model_may_be_named(seven, reader, monkeypatch, tmp_path_factory, capsys):
    """--model is a folder; then no project is needed."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    assert run("predict", seven, "--model", reader) == 0
    assert run("predict", seven, "--model", reader / "nowhere") == 2
    told = capsys.readouterr()
    assert " 7 " in told.out
    assert "nowhere: no model here yet" in told.err


def test_a_registered_version_may_be_named(enter, variants, capsys):
    """--model champion and --model 1 give the same answer as the folder they came from."""
    enter("good")
    picture("7").save("seven.png")
    capsys.readouterr()
    assert run("predict", "seven.png", "--csv", "--model", variants["good"]) == 0
    expected = capsys.readouterr().out

    for name in ("champion", "1"):
        assert run("predict", "seven.png", "--csv", "--model", name) == 0
        assert capsys.readouterr().out == expected
    assert run("predict", "seven.png", "--model", "challenger") == 2
    assert "digits has no version 'challenger'" in capsys.readouterr().err


def test_two_forms_at_once_are_refused(seven, capsys):
    """--json and --csv exclude each other."""
    assert run("predict", seven, "--json", "--csv") == 2
    assert "exclude each other" in capsys.readouterr().err


def test_a_reader_that_leaves_causes_no_traceback(seven):
    """`digits predict ... | head -1` ends quietly."""
    names = ["seven.png"] * 3000
    program = f"import sys; from stages import cli; cli.main(['predict', *{names}])"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_ctrl_c_leaves_valid_json(seven):
    """Interrupted in the middle: the list is closed, one line says how far it was."""
    os.mkfifo(seven.parent / "pipe")
    command = [sys.executable, "-m", "stages.cli", "predict", "--json", *["seven.png"] * 32, "pipe"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        first = [process.stdout.readline() for _ in range(33)]
        process.send_signal(signal.SIGINT)  # while a thread waits for the pipe
        told, complaint = process.communicate(timeout=60)

    assert [row["digit"] for row in json.loads("".join(first) + told)] == [7] * 32
    assert complaint == "digits: interrupted after 32 of 33 files\n"
    assert process.returncode == 130


def peak(folder, arguments):
    """The most memory, in MiB, that `digits predict` needs, and what it prints."""
    code = "import resource, sys; from stages import cli\ntry: cli.main()\nfinally:\n"
    code += " print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)"
    done = call(folder, sys.executable, "-c", code, "predict", *arguments)
    return float(done.stderr), done.stdout.splitlines()


def test_a_large_folder_is_answered_in_order_and_bounded_memory(project):
    """Eight times as many pictures need no more memory; each has its line, in its place."""
    digits = [project / f"{digit}.png" for digit in range(10)]
    for digit, path in enumerate(digits):
        picture(str(digit)).save(path)
    for folder, count in (("few", 300), ("many", 2400)):
        (project / folder).mkdir()
        for i in range(count):
            (project / folder / f"{i:05}.png").hardlink_to(digits[i % 10])

    few, _ = peak(project, ["few", "--csv"])
    many, lines = peak(project, ["many", "--csv"])

    rows = list(csv.DictReader(lines))
    assert [row["file"] for row in rows] == [f"many/{i:05}.png" for i in range(2400)]
    assert [row["digit"] for row in rows] == [str(i % 10) for i in range(2400)]
    assert many - few < 30  # the pixels of all would be 170 MiB more


def test_mnist_is_read_as_well_from_files_as_from_arrays(reader, official):
    """6,000 pictures as PNG files score within 0.1 points of the bare network.

    They are the last of the official training pictures, which `reader` has not seen: the
    official test pictures are read by `evaluate` alone.
    """
    model = classifier.load(reader)
    images, labels = official.images[54000:], official.labels[54000:]
    scans = (decode(packed(Image.fromarray(image), "PNG"), "held out") for image in images)
    seen = [find(scan).pictures for scan in scans]

    assert {len(pictures) for pictures in seen} == {1}
    bare, whole = (
        (model.logits(pictures).argmax(1) == labels).mean()
        for pictures in (images, np.concatenate(seen))
    )
    assert abs(whole - bare) < 0.001
