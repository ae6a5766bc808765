"""Print predictions as text, JSON or CSV, one line or block at a time.

Each format has a `head`, a `line` per prediction and a `tail`, so that the output of a stream
that is stopped anywhere is still complete.
"""

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence

from digits.inference.prediction import Prediction
from digits.preprocessing import class_names
from digits.preprocessing.class_names import shorten
from digits.project.progress_bar import ProgressBar
from digits.project.text_table import printable

MAX_NAME_WIDTH = 60  # characters of a file's name that others are aligned with
MAX_CLASS_WIDTH = 40  # characters of a class's name beside others, for people


def top_classes(prediction: Prediction, top: int) -> list[list[tuple[str, float]]]:
    """Return the `top` most probable classes of each glyph with their probabilities."""
    order = (-prediction.probabilities).argsort(1, kind="stable")[:, :top].tolist()
    rows = zip(prediction.probabilities.tolist(), order, strict=True)
    return [[(prediction.classes[i], row[i]) for i in best] for row, best in rows]


class TextFormat:
    """Aligned columns for people; files that could not be read appear on standard error alone."""

    head = tail = ""

    def __init__(self, top: int, files: list[str]) -> None:
        self.top = top
        lengths = [len(printable(file)) for file in files]
        self.width = max([n for n in lengths if n <= MAX_NAME_WIDTH], default=0)

    def line(self, prediction: Prediction) -> str:
        """Return file, labels, probability and remarks; then the next best of each glyph."""
        if prediction.reading.problem:
            return ""
        name = printable(prediction.reading.file).ljust(self.width)
        probability = f"{prediction.probability:6.1%}" if prediction.labels else "     -"
        cells = [name, printable(prediction.text) or "-", probability]
        below = top_classes(prediction, self.top) if self.top > 1 else []
        if len(below) == 1:
            cells.append(_format_classes(below.pop()[1:]))
        cells.append(", ".join(filter(None, [_remark(prediction), *prediction.reading.notes])))
        margin = " " * (self.width + 2)
        lines = ["  ".join(cells).rstrip(), *(margin + _format_classes(row) for row in below)]
        return "\n".join(lines) + "\n"


def _remark(prediction: Prediction) -> str:
    """Return what is uncertain, or an empty text."""
    noun = class_names.noun(prediction.classes)
    if not prediction.labels:
        return f"no {noun} found"
    if prediction.status == "ok" or len(prediction.labels) == 1:
        return "" if prediction.status == "ok" else "doubtful"
    pairs = enumerate(zip(prediction.labels, prediction.doubtful, strict=True), start=1)
    words = [
        f"the {shorten(printable(label), MAX_CLASS_WIDTH)} ({_ordinal(n)} {noun})"
        for n, (label, doubtful) in pairs
        if doubtful
    ]
    return f"doubtful: {', '.join(words)}"


def _ordinal(number: int) -> str:
    """Return `1st`, `2nd`, `11th` and so on."""
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{ending or 'th'}"


def _format_classes(pairs: list[tuple[str, float]]) -> str:
    """Return classes and their probabilities in one line."""
    return "  ".join(
        f"{shorten(printable(label), MAX_CLASS_WIDTH)} {probability:.1%}"
        for label, probability in pairs
    )


class JsonFormat:
    """A list of objects, one on each line; each names the `model`."""

    head, tail = "[\n", "]\n"

    def __init__(self, top: int, model: dict[str, object]) -> None:
        self.top, self.model, self.separator = top, model, " "

    def line(self, prediction: Prediction) -> str:
        """Return one object. The comma stands before it, so that each line is complete."""
        separator, self.separator = self.separator, ","
        record = {**prediction_record(prediction, self.top), "model": self.model}
        return f"{separator}{json.dumps(record)}\n"


class CsvFormat:
    """A row per file, with as many columns as `top` needs.

    The first is called `digit` where the classes are digits, else `label`.
    """

    tail = ""

    def __init__(self, top: int, classes: Sequence[str] = class_names.DIGITS) -> None:
        self.top = top
        self.label = "digit" if class_names.are_digits(classes) else "label"
        self.columns = ["file", self.label, "probability", "text", "status", "notes"]
        self.columns += [f"{c}_{n}" for n in range(2, top + 1) for c in (self.label, "probability")]
        self.head = _csv_line(self.columns)

    def line(self, prediction: Prediction) -> str:
        """Return one row; `label_2` and so on are filled where there is a single label."""
        row = prediction_record(prediction) | {"text": prediction.text}
        row["notes"] = prediction.reading.problem or "; ".join(prediction.reading.notes)
        if len(prediction.labels) == 1:
            for rank, (label, p) in enumerate(top_classes(prediction, self.top)[0], start=1):
                row |= {f"{self.label}_{rank}": label, f"probability_{rank}": round(p, 6)}
        return _csv_line(row.get(column, "") for column in self.columns)


def _csv_line(values: Iterable[object]) -> str:
    """Return one line of CSV."""
    import csv  # seldom needed

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


Format = TextFormat | JsonFormat | CsvFormat


def print_predictions(predictions: Iterator[Prediction], form: Format, total: int) -> int:
    """Print each prediction as it comes; errors and progress go to standard error.

    Returns the exit status: 0 when every file could be read, 1 when some could not, 2 when none
    could. Ctrl-C ends the process with 130.
    """
    failed = done = 0
    progress = ProgressBar(total)
    try:
        sys.stdout.write(form.head)
        try:
            for done, prediction in enumerate(predictions, start=1):
                progress.clear()
                if problem := prediction.reading.problem:
                    failed += 1
                    print(f"digits: {printable(problem)}", file=sys.stderr)
                sys.stdout.write(form.line(prediction))
                sys.stdout.flush()
                progress.update(done)
        finally:
            progress.clear()
            sys.stdout.write(form.tail)
            sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"digits: interrupted after {done:,} of {total:,} files", file=sys.stderr, flush=True)
        os._exit(130)  # without waiting for a thread that waits for a pipe
    return 2 if failed == total else int(failed > 0)


def prediction_record(prediction: Prediction, top: int = 1) -> dict[str, object]:
    """Return a prediction as a JSON object.

    `label` is null unless there is exactly one. Where the classes are digits, `digit` is the same
    as a number. `text` holds all labels, as one text or as lists (`class_names`), and
    `probability` is that of all. `boxes` are left, top, right, bottom in pixels of the upright
    image. A file that could not be read has `error` and no text.
    """
    reading, labels = prediction.reading, prediction.labels
    label = labels[0] if len(labels) == 1 else None
    record: dict[str, object] = {"file": reading.file, "status": prediction.status}
    record |= _name_fields(label, prediction.classes)
    if reading.glyphs is None:
        return {**record, "probability": None, "error": reading.problem}
    record |= {
        "probability": round(prediction.probability, 6) if labels else None,
        "text": class_names.split_text(prediction.text, prediction.classes),
        "boxes": reading.glyphs.boxes.tolist(),
        "probabilities": [round(p, 6) for p in prediction.probabilities.max(1).tolist()],
        "doubtful": prediction.doubtful.tolist(),
        "notes": list(reading.notes),
    }
    if top > 1:
        record["top"] = [
            [
                {**_name_fields(name, prediction.classes), "probability": round(p, 6)}
                for name, p in row
            ]
            for row in top_classes(prediction, top)
        ]
    return record


def _name_fields(name: str | None, classes: Sequence[str]) -> dict[str, object]:
    """Return `label`, and `digit`, a number, where the classes are digits."""
    is_digit = class_names.are_digits(classes)
    digit = {"digit": None if name is None else int(name)} if is_digit else {}
    return {"label": name, **digit}
