"""`digits predict`: its formats, its exit statuses, and how it ends early."""

import csv
import json
import os
import re
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
from tests import processes
from tests.cli.test_main import refusal, run
from tests.conftest import call
from tests.strokes import empty, packed, page

HEAVY = {"torch", "mlflow", "pandas", "matplotlib", "sklearn", "scipy", "optuna"}
HEAVY |= {"pydantic", "tqdm", "concurrent.futures", "PIL.BmpImagePlugin"}  # not for one PNG


def draw(text):
    """A page with `text` as a Pillow image."""
    return Image.fromarray(page(text, np.random.default_rng(0)))


def png_header(width, height):
    """A PNG file that ends after its size."""
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
    """An image of a seven in a project."""
    draw("7").save(project / "seven.png")
    return project / "seven.png"


def test_a_line_per_image_without_heavy_imports(seven):
    """File, digit, probability; torch, MLflow, pandas, matplotlib and scipy are not imported."""
    code = "import sys; from digits.cli.main import main\n"
    code += "try: main()\nfinally: print(*sys.modules)"
    done = call(seven.parent, sys.executable, "-c", code, "predict", "seven.png")
    line, modules = done.stdout.splitlines()

    assert line.split()[:2] == ["seven.png", "7"]
    assert float(line.split()[2].rstrip("%")) > 50
    assert done.stderr == "model: models/digits\n"
    assert not HEAVY & set(modules.split())


def test_a_hyphen_is_standard_input(seven, monkeypatch, capsys):
    """An image like the others, in its place among the files."""
    with seven.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert run("predict", "-", "seven.png", "--json") == 0
    rows = json.loads(capsys.readouterr().out)

    assert [(row["file"], row["digit"]) for row in rows] == [("-", 7), ("seven.png", 7)]


@pytest.mark.parametrize("choice", [[], ["--multi"]])
def test_several_digits_are_a_text_and_an_empty_page_has_none(project, capsys, choice):
    """With --multi and without; neither is an error."""
    draw("2026/1122").save(project / "date.png")
    Image.fromarray(empty(np.random.default_rng(0))).save(project / "empty.png")

    assert run("predict", "date.png", "empty.png", *choice) == 0
    date, page_without = capsys.readouterr().out.splitlines()
    assert "2026/1122" in date
    assert "no digit" in page_without


def test_one_digit_and_its_most_probable_classes(project, capsys):
    """--single reads one digit from any image; --top lists at most as many classes as there are."""
    draw("26").save(project / "two.png")
    assert run("predict", "two.png", "--single", "--json", "--top", 99) == 0
    (row,) = json.loads(capsys.readouterr().out)
    chances = [entry["probability"] for entry in row["top"][0]]

    assert (len(row["text"]), len(row["top"]), len(chances)) == (1, 1, 10)
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1, abs=1e-4)


def test_an_unreadable_file_is_one_line_of_error(seven, capsys):
    """The other files are read: status 1, or 2 if there are none. JSON has the status `error`."""
    cut = seven.read_bytes()[:2000]
    bad = {  # by name: the content, and words of the error
        "text.png": (b"hello", "not an image"),
        "nothing.jpg": (b"", "an empty file"),
        "cut.png": (cut, "a damaged PNG image"),
        "vast.png": (png_header(40_000, 40_000), "pixels"),
        "folder": (None, "a folder without images"),
        "nowhere.png": (None, "no such file"),
        "*.webp": (None, "no file"),
        "x" * 300: (None, "File name too long"),
    }
    (seven.parent / "folder").mkdir()
    for name, (content, _) in bad.items():
        if content is not None:
            (seven.parent / name).write_bytes(content)

    assert run("predict", "text.png") == 2
    capsys.readouterr()
    assert run("predict", "seven.png", *bad, "seven.png", "--json") == 1
    output, errors = capsys.readouterr()
    for line, (name, (_, words)) in zip(errors.splitlines()[1:], bad.items(), strict=True):
        assert line.startswith(f"digits: {name[:100]}")
        assert words in line
    statuses = [row["status"] for row in json.loads(output)]
    assert statuses == ["ok", *["error"] * len(bad), "ok"]


def test_closed_streams_are_no_traceback(seven):
    """Without standard input, `-` is an unreadable file; without standard output all is read."""
    command = f"{sys.executable} -m digits.cli predict - seven.png <&- >&-"
    done = subprocess.run(["sh", "-c", command], cwd=seven.parent, stderr=subprocess.PIPE)

    assert done.returncode == 1
    assert b"\ndigits: -: standard input is closed; name a file" in done.stderr
    assert b"Traceback" not in done.stderr


def test_previews_go_into_a_new_folder_only(seven, capsys):
    """One PNG file per image; a folder with files in it is refused."""
    assert run("predict", seven, "--save-preview", "new") == 0
    assert [p.name for p in Path("new").iterdir()] == ["00001-seven.png"]
    assert "for the previews" in refusal(capsys, "predict", seven, "--save-preview", "new")


def test_a_reader_that_leaves_causes_no_traceback(seven):
    """`digits predict ... | head -1` ends quietly."""
    names = ["seven.png"] * 3000
    program = f"import sys; from digits.cli.main import main; main(['predict', *{names}])"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b"model: models/digits\n"
    assert process.returncode == 141


def test_ctrl_c_leaves_valid_json(seven):
    """Interrupted in the middle: the list is closed, one line says how far it was."""
    os.mkfifo(seven.parent / "pipe")
    with processes.Process("digits", "predict", "--json", "seven.png", "pipe") as process:
        assert "7" in process.readline() + process.readline()
        process.send_signal(signal.SIGINT)  # while a thread waits for the pipe
        output, error = process.communicate(60)

    assert [row["digit"] for row in json.loads(output)] == [7]
    assert error == "model: models/digits\ndigits: interrupted after 1 of 2 files\n"
    assert process.returncode == 130


def peak(folder, arguments):
    """Run `digits predict`; its peak memory in MiB and the lines that it prints."""
    code = "import sys; from digits.cli.main import main\ntry: main()\nfinally:\n"
    code += " print(open('/proc/self/status').read(), file=sys.stderr)"
    done = call(folder, sys.executable, "-c", code, "predict", *arguments)
    # not ru_maxrss, which counts the memory of the process that started this one, too
    kibibytes = re.search(r"VmHWM:\s+(\d+) kB", done.stderr).group(1)
    return int(kibibytes) / 1024, done.stdout.splitlines()


def test_a_large_folder_is_read_in_order_and_in_bounded_memory(project):
    """Nine times as many images need no more memory; each has its line, in its place."""
    digits = [project / f"{digit}.png" for digit in range(10)]
    for digit, path in enumerate(digits):
        draw(str(digit)).save(path)
    for folder, count in (("few", 50), ("many", 450)):
        (project / folder).mkdir()
        for i in range(count):
            (project / folder / f"{i:05}.png").hardlink_to(digits[i % 10])

    few, _ = peak(project, ["few", "--csv"])
    many, lines = peak(project, ["many", "--csv"])

    rows = list(csv.DictReader(lines))
    expected = [(f"many/{i:05}.png", str(i % 10)) for i in range(450)]
    assert [(row["file"], row["digit"]) for row in rows] == expected
    assert many - few < 15  # the pixels of all would be 32 MiB more


def test_mnist_is_read_as_well_from_files_as_from_arrays(reader, official):
    """On 3,000 images, PNG files score within 0.1 points of arrays that the network gets directly.

    They are of the official training images that `reader` was not trained on: only `evaluate`
    reads the official test images.
    """
    model = classifier.load(reader)
    images, labels = official.images[54000::2], official.labels[54000::2]
    scans = (decode_image(packed(Image.fromarray(image), "PNG"), "held out") for image in images)
    glyphs = [extract_glyphs(scan).images for scan in scans]

    assert set(map(len, glyphs)) == {1}
    from_arrays, from_files = (
        (model.logits(x).argmax(1) == labels).mean() for x in (images, np.concatenate(glyphs))
    )
    assert abs(from_files - from_arrays) < 0.001
