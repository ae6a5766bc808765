"""Numbers from labelled pictures: shares with their intervals, per class, per writer."""

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stages.lib.labelled import Labelled
from stages.lib.scores import interval
from stages.lib.table import aligned

Numbers = dict[str, Any]
NAMED = 40  # mistakes that people are told one by one
HEAD = ["", "n", "right", "accuracy", "95 % interval"]
PLAIN = {"resized": "only resized to 28 x 28", "inverted": "resized, inverted when bright"}


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


def share(right: int, n: int) -> Numbers:
    """How many of `n` are right, with the 95 % interval of the share."""
    low, high = interval(right, n)
    accuracy = round(right / n, 6)
    return {
        "n": n,
        "right": right,
        "accuracy": accuracy,
        "interval": [round(low, 6), round(high, 6)],
    }


def numbers(marks: list[Marked], classes: list[str]) -> Numbers:
    """All numbers, as JSON holds them; what there is nothing of is left out.

    `classes` and what they were read as are of the pictures of one digit; `several` is of
    the others: by text in `share`, and by digit, where each digit that is wrong, missing
    or too many counts (the edit distance). `writers_mean` gives each writer equal weight.
    """
    single = [mark for mark in marks if mark.picture.single]
    several = [mark for mark in marks if not mark.picture.single]
    found: Numbers = {"all": _share(marks)}
    if single and several:
        found["single"] = _share(single)
    if several:
        found["several"] = {**_share(several), "digits": _digits(several)}
    if single:
        found["classes"] = {c: _class(c, single) for c in classes if _of(c, single)}
    names = sorted({mark.picture.writer for mark in marks} - {""})
    if names:
        writers = {name: _share(m for m in marks if m.picture.writer == name) for name in names}
        found["writers"] = writers
        mean = statistics.fmean(w["accuracy"] for w in writers.values())
        found["writers_mean"] = round(mean, 6)
    doubtful = [mark for mark in marks if mark.status == "doubtful"]
    found["doubtful"] = {"n": len(doubtful), "wrong": sum(not mark.right for mark in doubtful)}
    found["mistakes"] = [_mistake(mark) for mark in marks if not mark.right]
    return found


def _share(marks: Iterable[Marked]) -> Numbers:
    rights = [mark.right for mark in marks]
    return share(sum(rights), len(rights))


def _of(label: str, marks: list[Marked]) -> list[Marked]:
    return [mark for mark in marks if mark.picture.label == label]


def _class(label: str, single: list[Marked]) -> Numbers:
    """The share of a class, and what its mistakes were read as, the most frequent first."""
    marks = _of(label, single)
    wrong = Counter(mark.said for mark in marks if not mark.right)
    return {**_share(marks), "read_as": dict(wrong.most_common())}


def _digits(several: list[Marked]) -> Numbers:
    """How many digits of longer texts are right."""
    pairs = [(m.picture.label.replace("/", ""), m.said.replace("/", "")) for m in several]
    n = sum(len(label) for label, _ in pairs)
    return share(sum(max(0, len(label) - distance(label, said)) for label, said in pairs), n)


def distance(one: str, other: str) -> int:
    """The fewest insertions, deletions and substitutions between two texts (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


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
    rows = [_row("pictures", numbers["all"])]
    if "single" in numbers:
        rows.append(_row("  of one digit", numbers["single"]))
    if "several" in numbers:
        rows.append(_row("  of several digits", numbers["several"]))
        rows.append(_row("    their digits", numbers["several"]["digits"]))
    for name, found in numbers.get("plain", {}).items():
        rows.append(_row(PLAIN[name], found))
    rows += [_row(f"class {c}", found) for c, found in numbers.get("classes", {}).items()]
    rows += [_row(name, found) for name, found in numbers.get("writers", {}).items()]
    if "writers" in numbers:
        mean = f"{numbers['writers_mean']:.1%}"
        rows.append([f"mean of {len(numbers['writers'])} writers", "", "", mean, ""])
    doubtful = "{n} pictures are marked doubtful, {wrong} of them wrong".format_map(
        numbers["doubtful"]
    )
    parts = [aligned(HEAD, rows), doubtful, *_wrong(numbers["mistakes"])]
    return "\n\n".join(parts)


def _row(name: str, found: Numbers) -> list[str]:
    """A line of the table; mistakes of a class are named."""
    low, high = found["interval"]
    shares = [f"{found['accuracy']:.1%}", f"{low:.1%} to {high:.1%}"]
    return [name, f"{found['n']:,}", f"{found['right']:,}", *shares]


def _wrong(mistakes: list[Numbers]) -> list[str]:
    """Each mistake in a line, under a heading; nothing when there is none."""
    if not mistakes:
        return []
    lines = [f"{m['file']}: {m['label']} {_said(m)}" for m in mistakes[:NAMED]]
    more = len(mistakes) - len(lines)
    return ["\n".join([*lines, *([f"and {more:,} more; --json names all"] if more else [])])]


def _said(mistake: Numbers) -> str:
    if mistake["status"] == "error":
        return "cannot be read"
    if not mistake["text"]:
        return "no digit found"
    doubt = ", doubtful" if mistake["status"] == "doubtful" else ""
    return f"read as {mistake['text']} ({mistake['probability']:.1%}{doubt})"
