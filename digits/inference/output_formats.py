"""Answers as people and programs read them, one line or block at a time.

Each format has a `head`, a `line` per answer and a `tail`, so that a stream can be
stopped anywhere and still end as a whole.
"""

import csv
import json
import os
import sys
from collections.abc import Iterator

from digits.inference.prediction import Prediction
from digits.project.progress_bar import ProgressBar
from digits.project.text_table import printable

WIDEST = 60  # characters of a file's name that others are aligned with


def print_predictions(
    found: Iterator[Prediction], form: "TextFormat | JsonFormat | CsvFormat", total: int
) -> int:
    """Print each answer as it comes; errors and progress go to standard error.

    Returns the exit status: 0 when each file was read, whatever was found on it, 1 when some
    were not, 2 when none was. Ctrl-C ends the process with 130, a reader of the output that
    leaves with 141.
    """
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    failed = done = 0
    progress = ProgressBar(total)
    try:
        sys.stdout.write(form.head)
        try:
            for done, answer in enumerate(found, start=1):
                progress.clear()
                failed += _print_prediction(answer, form)
                progress.update(done)
        finally:
            progress.clear()
            sys.stdout.write(form.tail)
            sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"digits: interrupted after {done:,} of {total:,} files", file=sys.stderr, flush=True)
        os._exit(130)  # without waiting for a thread that waits for a pipe
    except BrokenPipeError:
        os._exit(141)  # without flushing into the closed pipe
    if failed == total:
        return 2
    return 1 if failed else 0


def _print_prediction(answer: Prediction, form: "TextFormat | JsonFormat | CsvFormat") -> bool:
    """Print one answer. Returns whether the file could not be read."""
    if answer.reading.problem:
        print(f"digits: {printable(answer.reading.problem)}", file=sys.stderr)
    sys.stdout.write(form.line(answer))
    sys.stdout.flush()
    return bool(answer.reading.problem)


def top_classes(answer: Prediction, top: int) -> list[list[tuple[str, float]]]:
    """Per digit the `top` most probable classes with their probabilities."""
    order = (-answer.probabilities).argsort(1, kind="stable")[:, :top].tolist()
    rows = zip(answer.probabilities.tolist(), order, strict=True)
    return [[(answer.classes[i], row[i]) for i in chosen] for row, chosen in rows]


class TextFormat:
    """Aligned columns for people; files that could not be read are left to standard error."""

    head = tail = ""

    def __init__(self, top: int, files: list[str]) -> None:
        self.top = top
        lengths = [len(printable(file)) for file in files]
        self.width = max([n for n in lengths if n <= WIDEST], default=0)

    def line(self, answer: Prediction) -> str:
        """File, digits, probability, remarks; the runners-up of each digit."""
        if answer.reading.problem:
            return ""
        chance = f"{answer.probability:.1%}" if answer.digits else "-"
        name = f"{printable(answer.reading.file):{self.width}}"
        first = [name, answer.text or "-", f"{chance:>6}"]
        below = top_classes(answer, self.top) if self.top > 1 else []
        if len(below) == 1:
            first.append(_listed(below.pop()[1:]))
        first.append(", ".join(filter(None, [_remark(answer), *answer.reading.notes])))
        margin = " " * (self.width + 2)
        lines = ["  ".join(first).rstrip(), *(margin + _listed(row) for row in below)]
        return "\n".join(lines) + "\n"


def _remark(answer: Prediction) -> str:
    """What is uncertain."""
    if not answer.digits:
        return "no digit found"
    which = [d for d, bad in zip(answer.digits, answer.doubtful, strict=True) if bad]
    if not which or len(answer.digits) == 1:
        return "doubtful" * len(which)
    return f"doubtful: {' '.join(which)}"


def _listed(pairs: list[tuple[str, float]]) -> str:
    return "  ".join(f"{digit} {probability:.1%}" for digit, probability in pairs)


class JsonFormat:
    """A list of objects, one on each line."""

    head, tail = "[\n", "]\n"

    def __init__(self, top: int) -> None:
        self.top = top
        self.separator = " "

    def line(self, answer: Prediction) -> str:
        """One object. The comma stands before it, so that each line is whole at once."""
        separator, self.separator = self.separator, ","
        return f"{separator}{json.dumps(prediction_record(answer, self.top))}\n"


class CsvFormat:
    """A row per file, with as many columns as `top` needs."""

    tail = ""

    def __init__(self, top: int) -> None:
        self.top = top
        columns = ["file", "digit", "probability", "text", "status", "notes"]
        for place in range(2, top + 1):
            columns += [f"digit_{place}", f"probability_{place}"]
        self._writer = csv.DictWriter(_Echo(), columns, extrasaction="ignore", lineterminator="\n")
        self.head = str(self._writer.writeheader())

    def line(self, answer: Prediction) -> str:
        """One row; the runners-up are those of a single digit."""
        row = prediction_record(answer)
        row["notes"] = answer.reading.problem or "; ".join(answer.reading.notes)
        if len(answer.digits) == 1:
            for place, (digit, chance) in enumerate(top_classes(answer, self.top)[0], start=1):
                row |= {f"digit_{place}": digit, f"probability_{place}": round(chance, 6)}
        return str(self._writer.writerow(row))


class _Echo:
    """A file whose `write` gives back what csv's writers, which hand that on, have made."""

    def write(self, text: str) -> str:
        return text


def prediction_record(answer: Prediction, top: int = 1) -> dict[str, object]:
    """An answer as JSON holds it.

    `digit` is the answer when there is exactly one, else null, and a number where the class
    is called by one; `probability` is that the whole `text` is right. `boxes` are left, top,
    right, bottom in pixels of the upright picture. What failed has `error` and no text.
    """
    about: dict[str, object] = {"file": answer.reading.file, "status": answer.status}
    if answer.reading.glyphs is None:
        return {**about, "digit": None, "probability": None, "error": answer.reading.problem}
    digits = answer.digits
    found: dict[str, object] = {
        "digit": _class_value(digits[0]) if len(digits) == 1 else None,
        "probability": round(answer.probability, 6) if digits else None,
        "text": answer.text,
        "boxes": answer.reading.glyphs.boxes.tolist(),
        "probabilities": [round(p, 6) for p in answer.probabilities.max(1).tolist()],
        "doubtful": answer.doubtful.tolist(),
        "notes": list(answer.reading.notes),
    }
    if top > 1:
        found["top"] = [
            [{"digit": _class_value(d), "probability": round(p, 6)} for d, p in row]
            for row in top_classes(answer, top)
        ]
    return {**about, **found}


def _class_value(name: str) -> int | str:
    """A class as a number where it is called by one."""
    return int(name) if name.isdecimal() else name
