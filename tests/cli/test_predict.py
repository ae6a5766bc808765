"""`digits predict`: what it prints, what it returns, how it ends."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits.inference import classifier
from digits.preprocessing.digit_extraction import extract_glyphs
from digits.preprocessing.image_decoding import decode_image
from tests.cli.test_main import refusal, run
from tests.conftest import call
from tests.strokes import empty, packed, page

HEAVY = {"torch", "mlflow", "pandas", "matplotlib", "sklearn", "scipy", "optuna"}


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


def test_a_line_per_picture_without_what_only_training_needs(seven):
    """File, digit, probability; no torch, MLflow, pandas, matplotlib or scipy on the way."""
    code = "import sys; from digits.cli.main import main\n"
    code += "try: main()\nfinally: print(*sys.modules)"
    done = call(seven.parent, sys.executable, "-c", code, "predict", "seven.png")
    line, modules = done.stdout.splitlines()

    assert line.split()[:2] == ["seven.png", "7"]
    assert float(line.split()[2].rstrip("%")) > 50
    assert done.stderr == ""
    assert not HEAVY & set(modules.split())


def test_standard_input_is_a_picture(seven):
    """`-` is read, alone or among files."""
    command = [sys.executable, "-m", "digits.cli", "predict", "-", "seven.png", "--json"]
    with seven.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=True)

    assert [(row["file"], row["digit"]) for row in json.loads(done.stdout)] == [
        ("-", 7),
        ("seven.png", 7),
    ]


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_several_digits_are_a_text_and_an_empty_page_has_none(project, capsys, form):
    """Found automatically or asked for; neither is an error, and every form tells it."""
    picture("2026/1122").save(project / "date.png")
    Image.fromarray(empty(np.random.default_rng(0))).save(project / "empty.png")

    for choice in ([], ["--multi"]):
        assert run("predict", "date.png", "empty.png", *form, *choice) == 0
        told = capsys.readouterr().out
        assert "2026/1122" in told
        assert "no digit" in told


def test_one_digit_and_its_runners_up(project, capsys):
    """--single gives one digit whatever there is; --top as many as there are classes at most."""
    picture("26").save(project / "two.png")
    assert run("predict", "two.png", "--single", "--json", "--top", 99) == 0
    (row,) = json.loads(capsys.readouterr().out)
    chances = [entry["probability"] for entry in row["top"][0]]

    assert (len(row["text"]), len(row["top"]), len(chances)) == (1, 1, 10)
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1, abs=1e-4)


def bad_files():
    """Names of no pictures, each with its bytes, where it has any, and what is said of it."""
    good = picture("7")
    png, jpeg = packed(good, "PNG"), packed(good, "JPEG")
    return {
        "text.png": (b"hello", "no picture"),
        "nothing.jpg": (b"", "an empty file"),
        "cut.png": (png[: len(png) // 2], "a damaged PNG picture"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "a damaged JPEG picture"),
        "vast.png": (png_header(40_000, 40_000), "pixels"),
        "bomb.png": (packed(Image.new("1", (20_000, 20_000)), "PNG"), "pixels"),
        "folder": (None, "a folder without pictures"),
        "nowhere.png": (None, "no such file"),
        "*.webp": (None, "no file"),
    }


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_a_bad_file_is_one_line_and_stops_nothing(seven, capsys, form):
    """Status 1 beside a good file, 2 alone; programs get a row with the status `error`."""
    bad = bad_files()
    (seven.parent / "folder").mkdir()
    for name, (content, _) in bad.items():
        if content is not None:
            (seven.parent / name).write_bytes(content)

    assert run("predict", "text.png", *form) == 2
    capsys.readouterr()
    assert run("predict", "seven.png", *bad, "seven.png", *form) == 1
    told = capsys.readouterr()
    for line, (name, (_, words)) in zip(told.err.splitlines(), bad.items(), strict=True):
        assert line.startswith(f"digits: {name}: ")
        assert words in line
    if form == ["--json"]:
        rows = json.loads(told.out)
        assert [row["status"] for row in rows] == ["ok", *["error"] * len(bad), "ok"]
    if not form:
        assert told.out.count(" 7 ") == 2


def test_previews_go_into_a_new_folder_only(seven, capsys):
    """What the network saw, one PNG per picture; a folder with files in it is refused."""
    assert run("predict", seven, "--save-preview", "seen") == 0
    assert [p.name for p in Path("seen").iterdir()] == ["00001-seven.png"]
    told = refusal(capsys, "predict", seven, "--save-preview", "seen")
    assert told == "digits: seen exists and is not empty: choose a new folder for the previews\n"


def test_two_forms_at_once_are_refused(seven, capsys):
    """--json and --csv exclude each other."""
    assert "exclude each other" in refusal(capsys, "predict", seven, "--json", "--csv")


def test_a_reader_that_leaves_causes_no_traceback(seven):
    """`digits predict ... | head -1` ends quietly."""
    names = ["seven.png"] * 3000
    program = f"import sys; from digits.cli.main import main; main(['predict', *{names}])"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_ctrl_c_leaves_valid_json(seven):
    """Interrupted in the middle: the list is closed, one line says how far it was."""
    os.mkfifo(seven.parent / "pipe")
    command = [sys.executable, "-m", "digits.cli", "predict", "--json", "seven.png", "pipe"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        first = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)  # while a thread waits for the pipe
        told, complaint = process.communicate(timeout=60)

    assert [row["digit"] for row in json.loads("".join(first) + told)] == [7]
    assert complaint == "digits: interrupted after 1 of 2 files\n"
    assert process.returncode == 130


def peak(folder, arguments):
    """The most memory, in MiB, that `digits predict` needs, and what it prints."""
    code = "import resource, sys; from digits.cli.main import main\ntry: main()\nfinally:\n"
    code += " print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)"
    done = call(folder, sys.executable, "-c", code, "predict", *arguments)
    return float(done.stderr), done.stdout.splitlines()


def test_a_large_folder_is_answered_in_order_and_bounded_memory(project):
    """Eight times as many pictures need no more memory; each has its line, in its place."""
    digits = [project / f"{digit}.png" for digit in range(10)]
    for digit, path in enumerate(digits):
        picture(str(digit)).save(path)
    for folder, count in (("few", 100), ("many", 800)):
        (project / folder).mkdir()
        for i in range(count):
            (project / folder / f"{i:05}.png").hardlink_to(digits[i % 10])

    few, _ = peak(project, ["few", "--csv"])
    many, lines = peak(project, ["many", "--csv"])

    rows = list(csv.DictReader(lines))
    assert [row["file"] for row in rows] == [f"many/{i:05}.png" for i in range(800)]
    assert [row["digit"] for row in rows] == [str(i % 10) for i in range(800)]
    assert many - few < 30  # the pixels of all would be 57 MiB more


def test_mnist_is_read_as_well_from_files_as_from_arrays(reader, official):
    """3,000 pictures as PNG files score within 0.1 points of the bare network.

    They are among the last of the official training pictures, which `reader` has not seen: the
    official test pictures are read by `evaluate` alone.
    """
    model = classifier.load(reader)
    images, labels = official.images[54000::2], official.labels[54000::2]
    scans = (decode_image(packed(Image.fromarray(image), "PNG"), "held out") for image in images)
    seen = [extract_glyphs(scan).images for scan in scans]

    assert {len(pictures) for pictures in seen} == {1}
    bare, whole = (
        (model.logits(pictures).argmax(1) == labels).mean()
        for pictures in (images, np.concatenate(seen))
    )
    assert abs(whole - bare) < 0.001
