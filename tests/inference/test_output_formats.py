"""Predictions are printed as text, JSON and CSV."""

import csv
import json

import numpy as np
import pytest

from digits.inference.output_formats import CsvFormat, JsonFormat, TextFormat
from digits.inference.prediction import ImageReading, Prediction
from digits.preprocessing.digit_extraction import ExtractedGlyphs

CLASSES = [str(digit) for digit in range(10)]
BELOW = " " * 10  # the column of the file


def prediction(text, file="a.png", p=0.95, notes=()):
    """A prediction of `text`; the next best class of each digit is the digit plus one."""
    digits = [int(c) for c in text.replace("/", "")]
    rows = [i for i, row in enumerate(text.split("/")) for _ in row]
    probabilities = np.zeros((len(digits), 10), np.float32)
    for row, digit in zip(probabilities, digits, strict=True):
        row[[digit, (digit + 1) % 10]] = p, 1 - p
    boxes = np.arange(4 * len(digits)).reshape(-1, 4)
    images = np.zeros((len(digits), 28, 28), np.uint8)
    glyphs = ExtractedGlyphs(boxes, np.array(rows, int), images)
    return Prediction(ImageReading(file, glyphs, notes=notes), CLASSES, probabilities)


def failed(file="a.png"):
    """The prediction for a file that cannot be read."""
    reading = ImageReading(file, problem=f"{file}: no picture")
    return Prediction(reading, CLASSES, np.zeros((0, 10), np.float32))


@pytest.mark.parametrize(
    ("given", "top", "expected"),
    [
        (prediction("7"), 1, "a.png     7   95.0%"),
        (prediction("7", p=1), 1, "a.png     7  100.0%"),
        (prediction("7", "long.png"), 3, "long.png  7   95.0%  8 5.0%  0 0.0%"),
        (prediction("7", p=0.8), 1, "a.png     7   80.0%  doubtful"),
        (prediction("7", notes=("animated",)), 2, "a.png     7   95.0%  8 5.0%  animated"),
        (prediction(""), 1, "a.png     -       -  no digit found"),
        (prediction("", notes=("animated",)), 1, "a.png     -       -  no digit found, animated"),
        (prediction("12/3"), 1, "a.png     12/3   85.7%"),
        (
            prediction("12", p=0.8),
            1,
            "a.png     12   64.0%  doubtful: the 1 (1st digit), the 2 (2nd digit)",
        ),
        (
            prediction("12"),
            2,
            f"a.png     12   90.2%\n{BELOW}1 95.0%  2 5.0%\n{BELOW}2 95.0%  3 5.0%",
        ),
        (failed(), 1, ""),
    ],
)
def test_text_has_aligned_columns(given, top, expected):
    """File, digits, probability and remarks; files that cannot be read have no line."""
    names = ["a.png", "long.png", "x" * 80]
    assert TextFormat(top, names).line(given) == expected + "\n" * bool(expected)


def test_a_file_name_cannot_control_the_terminal():
    """Escape characters are written out."""
    assert "\x1b" not in TextFormat(1, ["\x1b"]).line(prediction("7", "\x1b"))


def test_json_has_one_object_per_line():
    """The output is valid JSON, and each line but the brackets is an object on its own."""
    json_format = JsonFormat(2, model := {"name": "digits-1"})
    given = [prediction("7"), failed("ü\udcff.png"), prediction("12/3", p=0.8), prediction("")]
    text = json_format.head + "".join(map(json_format.line, given)) + json_format.tail

    records = json.loads(text)
    assert [json.loads(line[1:]) for line in text.splitlines()[1:-1]] == records
    one, unreadable, several, none = records
    best = [{"label": f"{d}", "digit": d, "probability": p} for d, p in ((7, 0.95), (8, 0.05))]
    answer = {"file": "a.png", "status": "ok", "digit": 7, "probability": 0.95, "text": "7"}
    answer["label"] = "7"
    lists = {"boxes": [[0, 1, 2, 3]], "probabilities": [0.95], "doubtful": [False], "notes": []}
    assert one == {**answer, **lists, "top": [best], "model": model}
    assert (unreadable["status"], unreadable["error"]) == ("error", "ü\udcff.png: no picture")
    assert (several["digit"], several["text"], several["status"]) == (None, "12/3", "doubtful")
    assert several["probability"] == pytest.approx(0.512)
    assert len(several["boxes"]) == len(several["probabilities"]) == 3
    assert (none["digit"], none["text"], none["status"]) == (None, "", "no digit")


def test_csv_has_a_row_per_file():
    """All rows have the columns of the head, also where the file could not be read."""
    csv_format = CsvFormat(3)
    none = prediction("", notes=("x", "y"))
    given = [prediction("7", 'a,"b".png'), failed(), prediction("12/3"), none]
    text = csv_format.head + "".join(map(csv_format.line, given)) + csv_format.tail

    rows = list(csv.DictReader(text.splitlines(), restkey="more", restval="less"))
    assert all("more" not in row and "less" not in row.values() for row in rows)
    assert text.splitlines()[:2] == [
        "file,digit,probability,text,status,notes,digit_2,probability_2,digit_3,probability_3",
        '"a,""b"".png",7,0.95,7,ok,,8,0.05,0,0.0',
    ]
    assert (rows[1]["status"], rows[1]["notes"]) == ("error", "a.png: no picture")
    assert (rows[2]["digit"], rows[2]["text"], rows[2]["digit_2"]) == ("", "12/3", "")
    assert (rows[3]["status"], rows[3]["notes"]) == ("no digit", "x; y")
