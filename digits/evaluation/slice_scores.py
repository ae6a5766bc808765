"""Scores of a model on labelled files: over all, per class, per writer, per length of text.

Which files and labels there are is read by `datasets.labelled_folder`; the command is
`digits score`.
"""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from PIL.Image import Image

from digits.datasets import contact_sheet
from digits.datasets.folder_layout import LabelledFile
from digits.evaluation.scores import wilson_interval
from digits.inference import prediction_images
from digits.inference.classifier import Classifier
from digits.inference.prediction import Prediction
from digits.inference.prediction_stream import predict_files
from digits.preprocessing import class_names
from digits.project.progress_bar import ProgressBar
from digits.project.text_table import format_table

Numbers = dict[str, Any]
MAX_CARDS = 60  # mistakes that are drawn
MAX_LISTED = 40  # mistakes that the report lists
HEAD = ["", "n", "right", "accuracy", "95 % interval"]


@dataclass(frozen=True)
class ScoredImage:
    """A labelled file, and the text, probability, status and problem of its prediction."""

    labelled: LabelledFile
    text: str
    probability: float
    status: str
    problem: str

    @property
    def is_correct(self) -> bool:
        """Whether the predicted text equals the label."""
        return self.text == self.labelled.label


def score_images(
    files: list[LabelledFile], model: Classifier, several: bool | None, draw: bool
) -> tuple[list[ScoredImage], list[Image]]:
    """Score each file, in order, and show progress.

    With `draw`, also return the first mistakes whose image can be read, as cards.
    """
    scored: list[ScoredImage] = []
    cards: list[Image] = []
    progress = ProgressBar(len(files))
    predictions = predict_files([labelled.file for labelled in files], model, several, keep=draw)
    for labelled, p in zip(files, predictions, strict=True):
        scored.append(ScoredImage(labelled, p.text, p.probability, p.status, p.reading.problem))
        if p.reading.image and not scored[-1].is_correct and len(cards) < MAX_CARDS:
            cards.append(_card(scored[-1], p))
        progress.update(len(scored))
    progress.clear()
    return scored, cards


def _card(mistake: ScoredImage, prediction: Prediction) -> Image:
    """Return the image of a mistake above its label, prediction, writer and file name."""
    text, labelled = mistake.text, mistake.labelled
    read = f"read as {text} ({mistake.probability:.1%})" if text else f"{mistake.status} found"
    name = f"{labelled.group}  {Path(labelled.file).name}".strip()
    lines = [(f"{labelled.label} {read}", contact_sheet.ORANGE), (name, contact_sheet.GRAY)]
    return prediction_images.prediction_card(prediction, lines, zoom=5)


def summarize(scored: list[ScoredImage], classes: list[str]) -> Numbers:
    """Return all scores as JSON values; a part without images is left out.

    `classes` is about images with one label and says what their mistakes were read as;
    `balanced_accuracy` weights these classes equally. `several` is about the others: by whole
    text, and in `digits` (`glyphs` for other classes) by each, where one that is wrong, missing
    or too many counts (edit distance). `writers_mean` weights writers, or other groups, equally.
    """
    parts = f"{class_names.noun(classes)}s"
    single = [s for s in scored if s.labelled.single]
    several = [s for s in scored if not s.labelled.single]
    numbers: Numbers = {"all": _accuracy(scored)}
    if single and several:
        numbers["single"] = _accuracy(single)
    if several:
        numbers["several"] = {**_accuracy(several), parts: _label_accuracy(several, classes)}
    if single:
        by_class = {c: [s for s in single if s.labelled.label == c] for c in classes}
        numbers["classes"] = {c: _class_accuracy(of_c) for c, of_c in by_class.items() if of_c}
        recalls = (of_c["accuracy"] for of_c in numbers["classes"].values())
        numbers["balanced_accuracy"] = round(statistics.fmean(recalls), 6)
    if names := sorted({s.labelled.group for s in scored} - {""}):
        writers = {n: _accuracy(s for s in scored if s.labelled.group == n) for n in names}
        mean = statistics.fmean(w["accuracy"] for w in writers.values())
        numbers |= {"writers": writers, "writers_mean": round(mean, 6)}
    doubtful = [s.is_correct for s in scored if s.status == "doubtful"]
    numbers["doubtful"] = {"n": len(doubtful), "wrong": doubtful.count(False)}
    numbers["mistakes"] = [_mistake(s) for s in scored if not s.is_correct]
    return numbers


def _share(right: int, n: int) -> Numbers:
    """Return how many of `n` are right, with the 95 % interval of the share."""
    interval = [round(bound, 6) for bound in wilson_interval(right, n)]
    return {"n": n, "right": right, "accuracy": round(right / n, 6), "interval": interval}


def _accuracy(scored: Iterable[ScoredImage]) -> Numbers:
    correct = [s.is_correct for s in scored]
    return _share(sum(correct), len(correct))


def _class_accuracy(scored: list[ScoredImage]) -> Numbers:
    """Return the accuracy of a class, and what its mistakes were read as, most frequent first."""
    texts = Counter(s.text for s in scored if not s.is_correct)
    return {**_accuracy(scored), "read_as": dict(texts.most_common())}


def _label_accuracy(several: list[ScoredImage], classes: list[str]) -> Numbers:
    """Return how many labels of longer texts are right."""
    texts = [(s.labelled.label, s.text) for s in several]
    pairs = [[list(chain(*class_names.parse_labels(t, classes))) for t in pair] for pair in texts]
    right = sum(max(0, len(label) - edit_distance(label, text)) for label, text in pairs)
    return _share(right, sum(len(label) for label, _ in pairs))


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Count the insertions, deletions and substitutions between two texts (Levenshtein 1966).

    They are characters, or names of classes.
    """
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def _mistake(mistake: ScoredImage) -> Numbers:
    labelled = mistake.labelled
    numbers: Numbers = {"file": labelled.file, "label": labelled.label, "text": mistake.text}
    numbers |= {"probability": round(mistake.probability, 6), "status": mistake.status}
    return {**numbers, "error": mistake.problem} if mistake.problem else numbers


def format_report(numbers: Numbers) -> str:
    """Return the scores as text for a terminal: a table, then each mistake."""
    rows = [_row("images", numbers["all"])]
    several = numbers.get("several", {})
    parts = "glyphs" if "glyphs" in several else "digits"
    if "single" in numbers:
        rows.append(_row(f"  of one {parts[:-1]}", numbers["single"]))
    if several:
        rows.append(_row(f"  of several {parts}", several))
        rows.append(_row(f"    their {parts}", several[parts]))
    if len(numbers.get("classes", {})) > 1:
        rows.append(["mean of all classes", "", "", f"{numbers['balanced_accuracy']:.1%}", ""])
    rows += [
        _row(f"class {class_names.shorten(c, 40)}", of_c)
        for c, of_c in numbers.get("classes", {}).items()
    ]
    rows += [_row(writer, of_writer) for writer, of_writer in numbers.get("writers", {}).items()]
    if "writers" in numbers:
        mean = f"{numbers['writers_mean']:.1%}"
        rows.append([f"mean of {len(numbers['writers'])} groups", "", "", mean, ""])
    doubtful = numbers["doubtful"]
    doubts = f"{doubtful['n']} images are marked doubtful, {doubtful['wrong']} of them wrong"
    mistakes = [f"{m['file']}: {m['label']} {_describe_mistake(m)}" for m in numbers["mistakes"]]
    if len(mistakes) > MAX_LISTED:
        mistakes[MAX_LISTED:] = [f"and {len(mistakes) - MAX_LISTED:,} more; --json lists all"]
    return "\n\n".join(filter(None, [format_table(HEAD, rows), doubts, "\n".join(mistakes)]))


def _row(name: str, share: Numbers) -> list[str]:
    low, high = share["interval"]
    interval = f"{low:.1%} to {high:.1%}"
    return [name, f"{share['n']:,}", f"{share['right']:,}", f"{share['accuracy']:.1%}", interval]


def _describe_mistake(mistake: Numbers) -> str:
    if mistake["status"] == "error":
        return "cannot be read"
    if not mistake["text"]:
        return f"{mistake['status']} found"
    doubt = ", doubtful" if mistake["status"] == "doubtful" else ""
    return f"read as {mistake['text']} ({mistake['probability']:.1%}{doubt})"
