"""How good a model is on labelled pictures of one's own.

    python -m stages.score folder/

The pictures go the same way as those of `digits predict`. One that cannot be read, or on
which no digit is found, counts as wrong.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.lib import classifier, labelled, locate, preview, tally
from stages.lib.answers import Answer, answers
from stages.lib.classifier import Classifier
from stages.lib.decode import Scan
from stages.lib.labelled import Labelled
from stages.lib.progress import Progress
from stages.lib.tally import Marked, Numbers

CARDS = 60  # mistakes drawn at most
WIDTH = 1260  # pixels of the sheet of mistakes
MAKER = "digits score"  # stands in pictures made here, which may be replaced
Resized = tuple[str, NDArray[np.uint8]]


def score(
    folder: Path,
    labels: Path | None = None,
    *,
    model: str | None = None,
    several: bool | None = None,
    plain: bool = False,
    mistakes: Path | None = None,
) -> Numbers:
    """Score a model on labelled pictures; the numbers as JSON holds them.

    `plain` adds what the same model scores where pictures are only resized to 28 x 28.
    `mistakes` is a PNG to draw the mistakes into; without any it is not written. Raises
    UserError for labels or a model that cannot be used, and for a file in the way that
    was not made here.
    """
    loaded = classifier.load(locate.model_folder(model))
    pictures = labelled.read(folder, labels, loaded.classes)
    if mistakes is not None:
        preview.check_ours(mistakes, MAKER)
    marks: list[Marked] = []
    cards: list[Image.Image] = []
    resized: list[Resized] = []
    keep = plain or mistakes is not None
    for picture, answer in _answered(pictures, loaded, several, keep):
        marks.append(_mark(picture, answer))
        if plain and picture.single:
            resized.append(_resized(picture, answer.look.scan))
        if mistakes and not marks[-1].right and answer.look.scan and len(cards) < CARDS:
            cards.append(_card(marks[-1], answer))
    numbers = tally.numbers(marks, loaded.classes)
    if resized:
        numbers["plain"] = _plain(resized, loaded)
    if mistakes and cards:
        _draw(cards, numbers, mistakes)
    return numbers


def _answered(
    pictures: list[Labelled], model: Classifier, several: bool | None, keep: bool
) -> Iterator[tuple[Labelled, Answer]]:
    """Each picture with its answer, while progress is told."""
    progress = Progress(len(pictures))
    found = answers([picture.file for picture in pictures], model, several, keep)
    for done, pair in enumerate(zip(pictures, found, strict=True), start=1):
        yield pair
        progress.tell(done)
    progress.clear()


def _mark(picture: Labelled, answer: Answer) -> Marked:
    problem = answer.look.problem
    return Marked(picture, answer.text, answer.probability, answer.status, problem)


def _card(mark: Marked, answer: Answer) -> Image.Image:
    """A mistake: what was written, what was read, by whom and in which file."""
    said = f"read as {mark.said} ({mark.probability:.1%})" if mark.said else "no digit found"
    name = f"{mark.picture.writer}  {Path(mark.picture.file).name}".strip()
    lines = [(f"{mark.picture.label} {said}", preview.ORANGE), (name, preview.GREY)]
    return preview.card(answer, lines, zoom=5)


def _resized(picture: Labelled, scan: Scan | None) -> Resized:
    """The label and the whole picture in 28 x 28, as one does who knows nothing of MNIST.

    What cannot be read has a label that no answer equals.
    """
    if scan is None:
        return "", np.zeros((28, 28), np.uint8)
    grey = Image.fromarray(scan.pixels).convert("L")
    return picture.label, np.asarray(grey.resize((28, 28), Image.Resampling.BILINEAR))


def _plain(resized: list[Resized], model: Classifier) -> Numbers:
    """What the model scores on pictures that are only resized, and inverted where bright."""
    pictures = np.stack([picture for _, picture in resized])
    bright = pictures.mean((1, 2), keepdims=True) > 127
    inverted = np.where(bright, 255 - pictures, pictures)
    result = {}
    for name, seen in (("resized", pictures), ("inverted", inverted)):
        said = [model.classes[i] for i in model.probabilities(seen).argmax(1)]
        right = sum(word == label for word, (label, _) in zip(said, resized, strict=True))
        result[name] = tally.share(right, len(resized))
    return result


def _draw(cards: list[Image.Image], numbers: Numbers, path: Path) -> None:
    """Write the sheet of mistakes."""
    wrong = len(numbers["mistakes"])
    shown = "" if wrong == len(cards) else f", the first {len(cards)} that can be drawn"
    heading = f"{wrong} of {numbers['all']['n']} pictures read wrongly{shown}"
    preview.write(preview.sheet(cards, WIDTH, heading), path, MAKER)


if __name__ == "__main__":
    from stages import cli

    cli.main(["score", *sys.argv[1:]])
