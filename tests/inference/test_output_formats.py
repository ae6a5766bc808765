"""Answers are printed as people and programs read them."""

import csv
import json

import numpy as np
import pytest

from digits.inference.output_formats import CsvFormat, JsonFormat, TextFormat
from digits.inference.prediction import ImageReading, Prediction
from digits.preprocessing.digit_extraction import ExtractedGlyphs

CLASSES = [str(digit) for digit in range(10)]


def answer(text, file="a.png", likely=0.9, doubtful=False, notes=()):
    """An answer that reads `text`; each digit's neighbour is the second likeliest."""
    digits = [int(c) for c in text.replace("/", "")]
    rows = [i for i, row in enumerate(text.split("/")) for _ in row]
    chances = np.zeros((len(digits), 10), np.float32)
    for chance, digit in zip(chances, digits, strict=True):
        chance[[digit, (digit + 1) % 10]] = likely, 1 - likely
    boxes = np.arange(4 * len(digits)).reshape(-1, 4)
    found = ExtractedGlyphs(boxes, np.array(rows, int), np.zeros((len(digits), 28, 28), np.uint8))
    doubts = np.full(len(digits), doubtful)
    return Prediction(ImageReading(file, found, notes=notes), CLASSES, chances, doubts)


def failed(file="a.png"):
    """The answer to a file that cannot be read."""
    nothing = np.zeros((0, 10), np.float32)
    return Prediction(
        ImageReading(file, problem=f"{file}: no picture"), CLASSES, nothing, nothing[:, 0] > 0
    )


@pytest.mark.parametrize(
    ("given", "top", "expected"),
    [
        (answer("7"), 1, "a.png     7   90.0%"),
        (answer("7", likely=1), 1, "a.png     7  100.0%"),
        (answer("7", "long.png"), 3, "long.png  7   90.0%  8 10.0%  0 0.0%"),
        (answer("7", doubtful=True), 1, "a.png     7   90.0%  doubtful"),
        (answer("7", notes=("animated",)), 2, "a.png     7   90.0%  8 10.0%  animated"),
        (answer(""), 1, "a.png     -       -  no digit found"),
        (answer("", notes=("animated",)), 1, "a.png     -       -  no digit found, animated"),
        (answer("12/3"), 1, "a.png     12/3   72.9%"),
        (answer("12", doubtful=True), 1, "a.png     12   81.0%  doubtful: 1 2"),
        (
            answer("12"),
            2,
            "a.png     12   81.0%\n          1 90.0%  2 10.0%\n          2 90.0%  3 10.0%",
        ),
    ],
)
def test_people_get_columns(given, top, expected):
    """File, digits, probability, then what else there is to say."""
    assert TextFormat(top, ["a.png", "long.png", "x" * 80]).line(given) == expected + "\n"


def test_people_get_errors_elsewhere():
    """A file that cannot be read has no line among the answers."""
    assert TextFormat(1, ["a.png"]).line(failed()) == ""


def test_a_name_cannot_command_the_terminal():
    """Escapes are written out."""
    assert "\x1b" not in TextFormat(1, ["\x1b"]).line(answer("7", "\x1b"))


def test_json_has_one_object_per_line():
    """The whole is valid, and each line but the brackets is an object on its own."""
    json_format = JsonFormat(2)
    given = [answer("7"), failed("ü\udcff.png"), answer("12/3", doubtful=True), answer("")]
    text = json_format.head + "".join(map(json_format.line, given)) + json_format.tail

    found = json.loads(text)
    assert [json.loads(line[1:]) for line in text.splitlines()[1:-1]] == found
    assert found[0] == {
        "file": "a.png",
        "status": "ok",
        "digit": 7,
        "probability": 0.9,
        "text": "7",
        "boxes": [[0, 1, 2, 3]],
        "probabilities": [0.9],
        "doubtful": [False],
        "notes": [],
        "top": [[{"digit": 7, "probability": 0.9}, {"digit": 8, "probability": 0.1}]],
    }
    assert (found[1]["status"], found[1]["error"]) == ("error", "ü\udcff.png: no picture")
    assert (found[2]["digit"], found[2]["text"], found[2]["status"]) == (None, "12/3", "doubtful")
    assert found[2]["probability"] == pytest.approx(0.729)
    assert len(found[2]["boxes"]) == len(found[2]["probabilities"]) == 3
    assert (found[3]["digit"], found[3]["text"], found[3]["status"]) == (None, "", "no digit")


def test_csv_has_a_row_per_file():
    """All rows have the columns of the head, whatever became of the file."""
    csv_format = CsvFormat(3)
    given = [answer("7", 'a,"b".png'), failed(), answer("12/3"), answer("", notes=("x", "y"))]
    text = csv_format.head + "".join(map(csv_format.line, given)) + csv_format.tail

    rows = list(csv.DictReader(text.splitlines(), restkey="more", restval="less"))
    assert all("more" not in row and "less" not in row.values() for row in rows)
    assert rows[0] == {
        "file": 'a,"b".png',
        "digit": "7",
        "probability": "0.9",
        "text": "7",
        "status": "ok",
        "notes": "",
        "digit_2": "8",
        "probability_2": "0.1",
        "digit_3": "0",
        "probability_3": "0.0",
    }
    assert (rows[1]["status"], rows[1]["notes"]) == ("error", "a.png: no picture")
    assert (rows[2]["digit"], rows[2]["text"], rows[2]["digit_2"]) == ("", "12/3", "")
    assert (rows[3]["status"], rows[3]["notes"]) == ("no digit", "x; y")
