"""Numbers from labelled pictures: shares with their intervals, per class, per writer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image

from stages.lib import preview
from stages.lib.answers import Answer, answers
from stages.lib.classifier import Classifier
from stages.lib.labelled import Labelled
from stages.lib.progress import Progress
from stages.lib.scores import interval
from stages.lib.table import aligned

Numbers = dict[str, Any]
CARDS = 60  # mistakes drawn at most
NAMED = 40  # mistakes that people are told one by one
HEAD = ["", "n", "right", "accuracy", "95 % interval"]


@dataclass(frozen=True)
class Marked:
    """A labelled picture and what the model said of it; `status` is that of the answer."""

    picture: Labelled
    said: str
    probability: float
    status: str
    problem: str

    @property
    def right(self) -> bool:
        """Whether the whole text is that of the label."""
        return self.said == self.picture.label


def marked(
    pictures: list[Labelled], model: Classifier, several: bool | None, draw: bool
) -> tuple[list[Marked], list[Image]]:
    """Each picture with what the model says of it, in order; progress is told.

    If `draw`, the first mistakes that can be drawn are, as cards.
    """
    marks: list[Marked] = []
    cards: list[Image] = []
    progress = Progress(len(pictures))
    found = answers([picture.file for picture in pictures], model, several, keep=draw)
    for picture, answer in zip(pictures, found, strict=True):
        said = (answer.text, answer.probability, answer.status, answer.look.problem)
        marks.append(Marked(picture, *said))
        if answer.look.scan and not marks[-1].right and len(cards) < CARDS:
            cards.append(_card(marks[-1], answer))
        progress.tell(len(marks))
    progress.clear()
    return marks, cards


def _card(mark: Marked, answer: Answer) -> Image:
    """A mistake: what was written, what was read, by whom and in which file."""
    said = f"read as {mark.said} ({mark.probability:.1%})" if mark.said else "no digit found"
    name = f"{mark.picture.writer}  {Path(mark.picture.file).name}".strip()
    lines = [(f"{mark.picture.label} {said}", preview.ORANGE), (name, preview.GREY)]
    return preview.card(answer, lines, zoom=5)


def _share(marks: list[Marked]) -> Numbers:
    """How many are right, with the 95 % interval of the share."""
    n, right = len(marks), sum(mark.right for mark in marks)
    bounds = [round(bound, 6) for bound in interval(right, n)]
    return {"n": n, "right": right, "accuracy": round(right / n, 6), "interval": bounds}


def numbers(marks: list[Marked], classes: list[str]) -> Numbers:
    """All numbers, as JSON holds them; what there is nothing of is left out.

    `classes` are of the pictures of one digit, `several` is of the others, right as a whole or
    wrong.
    """
    single = [mark for mark in marks if mark.picture.single]
    several = [mark for mark in marks if not mark.picture.single]
    found: Numbers = {"all": _share(marks)}
    if several:
        found |= {"single": _share(single)} if single else {}
        found["several"] = _share(several)
    if single:
        by_class = {c: [mark for mark in single if mark.picture.label == c] for c in classes}
        found["classes"] = {c: _share(those) for c, those in by_class.items() if those}
    names = sorted({mark.picture.writer for mark in marks} - {""})
    if names:
        shares = {n: _share([m for m in marks if m.picture.writer == n]) for n in names}
        found["writers"] = shares
    doubtful = [mark for mark in marks if mark.status == "doubtful"]
    found["doubtful"] = {"n": len(doubtful), "wrong": sum(not mark.right for mark in doubtful)}
    found["mistakes"] = [_mistake(mark) for mark in marks if not mark.right]
    return found


def _mistake(mark: Marked) -> Numbers:
    about: Numbers = {
        "file": mark.picture.file,
        "label": mark.picture.label,
        "text": mark.said,
        "probability": round(mark.probability, 6),
        "status": mark.status,
    }
    return {**about, "error": mark.problem} if mark.problem else about


def report(numbers: Numbers) -> str:
    """The numbers for people: a table, then each mistake."""
    names = {"all": "pictures", "single": "  of one digit", "several": "  of several digits"}
    rows = [_row(name, numbers[key]) for key, name in names.items() if key in numbers]
    rows += [_row(f"class {c}", found) for c, found in numbers.get("classes", {}).items()]
    rows += [_row(name, found) for name, found in numbers.get("writers", {}).items()]
    doubtful = "{n} pictures are marked doubtful, {wrong} of them wrong"
    parts = [aligned(HEAD, rows), doubtful.format_map(numbers["doubtful"])]
    return "\n\n".join([*parts, *_wrong(numbers["mistakes"])])


def _row(name: str, found: Numbers) -> list[str]:
    """A line of the table."""
    low, high = found["interval"]
    shares = [f"{found['accuracy']:.1%}", f"{low:.1%} to {high:.1%}"]
    return [name, f"{found['n']:,}", f"{found['right']:,}", *shares]


def _wrong(mistakes: list[Numbers]) -> list[str]:
    """Each mistake in a line; nothing when there is none."""
    if not mistakes:
        return []
    lines = [f"{m['file']}: {m['label']} {_said(m)}" for m in mistakes[:NAMED]]
    if len(mistakes) > NAMED:
        lines.append(f"and {len(mistakes) - NAMED:,} more; --json names all")
    return ["\n".join(lines)]


def _said(mistake: Numbers) -> str:
    if mistake["status"] == "error":
        return "cannot be read"
    if not mistake["text"]:
        return "no digit found"
    doubt = ", doubtful" if mistake["status"] == "doubtful" else ""
    return f"read as {mistake['text']} ({mistake['probability']:.1%}{doubt})"
