"""Numbers from labelled pictures: shares with their intervals, per class, per writer."""

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image

from digits.datasets import contact_sheet
from digits.datasets.labelled_folder import LabelledFile
from digits.evaluation.scores import wilson_interval
from digits.inference import prediction_images
from digits.inference.classifier import Classifier
from digits.inference.prediction import Prediction
from digits.inference.prediction_stream import predict_files
from digits.project.progress_bar import ProgressBar
from digits.project.text_table import format_table

Numbers = dict[str, Any]
MAX_CARDS = 60  # mistakes drawn at most
MAX_LISTED = 40  # mistakes that people are told one by one
HEAD = ["", "n", "right", "accuracy", "95 % interval"]


@dataclass(frozen=True)
class ScoredImage:
    """A labelled picture and what the model said of it; `status` is that of the answer."""

    picture: LabelledFile
    said: str
    probability: float
    status: str
    problem: str

    @property
    def right(self) -> bool:
        """Whether the whole text is that of the label."""
        return self.said == self.picture.label


def score_images(
    pictures: list[LabelledFile], model: Classifier, several: bool | None, draw: bool
) -> tuple[list[ScoredImage], list[Image]]:
    """Each picture with what the model says of it, in order; progress is told.

    If `draw`, the first mistakes that can be drawn are, as cards.
    """
    marks: list[ScoredImage] = []
    cards: list[Image] = []
    progress = ProgressBar(len(pictures))
    found = predict_files([picture.file for picture in pictures], model, several, keep=draw)
    for picture, answer in zip(pictures, found, strict=True):
        said = (answer.text, answer.probability, answer.status, answer.reading.problem)
        marks.append(ScoredImage(picture, *said))
        if answer.reading.image and not marks[-1].right and len(cards) < MAX_CARDS:
            cards.append(_card(marks[-1], answer))
        progress.update(len(marks))
    progress.clear()
    return marks, cards


def _card(mark: ScoredImage, answer: Prediction) -> Image:
    """A mistake: what was written, what was read, by whom and in which file."""
    said = f"read as {mark.said} ({mark.probability:.1%})" if mark.said else "no digit found"
    name = f"{mark.picture.writer}  {Path(mark.picture.file).name}".strip()
    lines = [(f"{mark.picture.label} {said}", contact_sheet.ORANGE), (name, contact_sheet.GRAY)]
    return prediction_images.prediction_card(answer, lines, zoom=5)


def _accuracy_of(right: int, n: int) -> Numbers:
    """How many of `n` are right, with the 95 % interval of the share."""
    low, high = wilson_interval(right, n)
    accuracy = round(right / n, 6)
    return {
        "n": n,
        "right": right,
        "accuracy": accuracy,
        "interval": [round(low, 6), round(high, 6)],
    }


def summarize(marks: list[ScoredImage], classes: list[str]) -> Numbers:
    """All numbers, as JSON holds them; what there is nothing of is left out.

    `classes` and what they were read as are of the pictures of one digit; `several` is of
    the others: by text in `share`, and by digit, where each digit that is wrong, missing
    or too many counts (the edit distance). `writers_mean` gives each writer equal weight.
    """
    single = [mark for mark in marks if mark.picture.single]
    several = [mark for mark in marks if not mark.picture.single]
    found: Numbers = {"all": _accuracy(marks)}
    if single and several:
        found["single"] = _accuracy(single)
    if several:
        found["several"] = {**_accuracy(several), "digits": _digit_accuracy(several)}
    if single:
        by_class = {c: [m for m in single if m.picture.label == c] for c in classes}
        found["classes"] = {c: _class_accuracy(of_it) for c, of_it in by_class.items() if of_it}
    names = sorted({mark.picture.writer for mark in marks} - {""})
    if names:
        writers = {name: _accuracy(m for m in marks if m.picture.writer == name) for name in names}
        found["writers"] = writers
        mean = statistics.fmean(w["accuracy"] for w in writers.values())
        found["writers_mean"] = round(mean, 6)
    doubtful = [mark for mark in marks if mark.status == "doubtful"]
    found["doubtful"] = {"n": len(doubtful), "wrong": sum(not mark.right for mark in doubtful)}
    found["mistakes"] = [_mistake(mark) for mark in marks if not mark.right]
    return found


def _accuracy(marks: Iterable[ScoredImage]) -> Numbers:
    rights = [mark.right for mark in marks]
    return _accuracy_of(sum(rights), len(rights))


def _class_accuracy(marks: list[ScoredImage]) -> Numbers:
    """The share of a class, and what its mistakes were read as, the most frequent first."""
    wrong = Counter(mark.said for mark in marks if not mark.right)
    return {**_accuracy(marks), "read_as": dict(wrong.most_common())}


def _digit_accuracy(several: list[ScoredImage]) -> Numbers:
    """How many digits of longer texts are right."""
    pairs = [(m.picture.label.replace("/", ""), m.said.replace("/", "")) for m in several]
    n = sum(len(label) for label, _ in pairs)
    return _accuracy_of(
        sum(max(0, len(label) - edit_distance(label, said)) for label, said in pairs), n
    )


def edit_distance(one: str, other: str) -> int:
    """The fewest insertions, deletions and substitutions between two texts (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def _mistake(mark: ScoredImage) -> Numbers:
    about: Numbers = {
        "file": mark.picture.file,
        "label": mark.picture.label,
        "text": mark.said,
        "probability": round(mark.probability, 6),
        "status": mark.status,
    }
    return {**about, "error": mark.problem} if mark.problem else about


def format_report(numbers: Numbers) -> str:
    """The numbers for people: a table, then each mistake."""
    rows = [_row("pictures", numbers["all"])]
    if "single" in numbers:
        rows.append(_row("  of one digit", numbers["single"]))
    if "several" in numbers:
        rows.append(_row("  of several digits", numbers["several"]))
        rows.append(_row("    their digits", numbers["several"]["digits"]))
    rows += [_row(f"class {c}", found) for c, found in numbers.get("classes", {}).items()]
    rows += [_row(name, found) for name, found in numbers.get("writers", {}).items()]
    if "writers" in numbers:
        mean = f"{numbers['writers_mean']:.1%}"
        rows.append([f"mean of {len(numbers['writers'])} writers", "", "", mean, ""])
    doubtful = numbers["doubtful"]
    told = f"{doubtful['n']} pictures are marked doubtful, {doubtful['wrong']} of them wrong"
    mistakes = [f"{m['file']}: {m['label']} {_describe_answer(m)}" for m in numbers["mistakes"]]
    if len(mistakes) > MAX_LISTED:
        mistakes[MAX_LISTED:] = [f"and {len(mistakes) - MAX_LISTED:,} more; --json names all"]
    return "\n\n".join(filter(None, [format_table(HEAD, rows), told, "\n".join(mistakes)]))


def _row(name: str, found: Numbers) -> list[str]:
    """A line of the table; mistakes of a class are named."""
    low, high = found["interval"]
    shares = [f"{found['accuracy']:.1%}", f"{low:.1%} to {high:.1%}"]
    return [name, f"{found['n']:,}", f"{found['right']:,}", *shares]


def _describe_answer(mistake: Numbers) -> str:
    if mistake["status"] == "error":
        return "cannot be read"
    if not mistake["text"]:
        return "no digit found"
    doubt = ", doubtful" if mistake["status"] == "doubtful" else ""
    return f"read as {mistake['text']} ({mistake['probability']:.1%}{doubt})"
