"""How good a model is on labelled pictures of one's own.

    python -m stages.score folder/

The pictures go the same way as those of `digits predict`. One that cannot be read, or on
which no digit is found, counts as wrong.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from stages.lib import classifier, files, labelled, locate, preview, tally
from stages.lib.answers import Answer, answers
from stages.lib.classifier import Classifier
from stages.lib.errors import UserError
from stages.lib.labelled import Labelled
from stages.lib.preprocess import Scan
from stages.lib.progress import Progress
from stages.lib.tally import Marked, Numbers

CARDS = 60  # mistakes drawn at most
WIDTH = 1260  # pixels of the sheet of mistakes
MAKER = "digits score"  # stands in pictures made here, which may be replaced


@dataclass(frozen=True)
class Kept:
    """What is left of the pictures that were read, beyond the marks."""

    cards: list[Image.Image]
    resized: list[NDArray[np.uint8] | None]


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
        _check_ours(mistakes)
    found = answers([p.file for p in pictures], loaded, several, keep=plain or mistakes is not None)
    marks: list[Marked] = []
    kept = Kept([], [])
    progress = Progress(len(pictures))
    for picture, answer in zip(pictures, found, strict=True):
        marks.append(_mark(picture, answer))
        _keep(marks[-1], answer, kept)
        progress.tell(len(marks))
    progress.clear()
    numbers = tally.numbers(marks, loaded.classes)
    if plain:
        numbers["plain"] = _plain(marks, kept, loaded)
    if mistakes is not None and kept.cards:
        _draw(kept.cards, numbers, mistakes)
    return numbers


def _mark(picture: Labelled, answer: Answer) -> Marked:
    problem = answer.look.problem
    return Marked(picture, answer.text, answer.probability, answer.status, problem)


def _keep(mark: Marked, answer: Answer, kept: Kept) -> None:
    """Draw a mistake and resize the picture while its pixels are here."""
    scan = answer.look.scan
    kept.resized.append(None if scan is None else _resized(scan))
    if scan is not None and not mark.right and len(kept.cards) < CARDS:
        said = f"read as {mark.said} ({mark.probability:.1%})" if mark.said else "no digit found"
        lines = [(f"{mark.picture.label} {said}", preview.ORANGE)]
        name = mark.picture.writer or Path(mark.picture.file).name
        kept.cards.append(preview.card(answer, [*lines, (name, preview.GREY)], zoom=5))


def _resized(scan: Scan) -> NDArray[np.uint8]:
    """The whole picture in 28 x 28, as one does who knows nothing of MNIST."""
    grey = Image.fromarray(scan.pixels).convert("L")
    return np.asarray(grey.resize((28, 28), Image.Resampling.BILINEAR))


def _plain(marks: list[Marked], kept: Kept, model: Classifier) -> Numbers:
    """What the model scores on single digits that are only resized, and inverted if bright."""
    single = [
        (mark.picture.label, resized)
        for mark, resized in zip(marks, kept.resized, strict=True)
        if mark.picture.single
    ]
    blank = np.zeros((28, 28), np.uint8)
    pictures = np.stack([blank if resized is None else resized for _, resized in single])
    bright = pictures.mean((1, 2), keepdims=True) > 127
    result = {}
    for name, seen in (
        ("resized", pictures),
        ("inverted", np.where(bright, 255 - pictures, pictures)),
    ):
        said = [model.classes[i] for i in model.probabilities(seen).argmax(1)]
        right = sum(
            word == label and resized is not None
            for word, (label, resized) in zip(said, single, strict=True)
        )
        result[name] = tally.share(right, len(single))
    return result


def _check_ours(path: Path) -> None:
    """UserError when something is at `path` that this command did not make."""
    if not path.exists():
        return
    try:
        with Image.open(path) as image:
            ours = image.info.get("Software") == MAKER
    except OSError:
        ours = False
    if not ours:
        raise UserError(f"{path} is there and was not made by {MAKER}; name another file")


def _draw(cards: list[Image.Image], numbers: Numbers, path: Path) -> None:
    """Write the sheet of mistakes."""
    wrong = len(numbers["mistakes"])
    shown = "" if wrong == len(cards) else f", the first {len(cards)} that can be drawn"
    heading = f"{wrong} of {numbers['all']['n']} pictures read wrongly{shown}"
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", MAKER)
    with files.replacing(path) as partial:
        preview.sheet(cards, WIDTH, heading).save(partial, "PNG", pnginfo=about)


if __name__ == "__main__":
    from stages import cli

    cli.main(["score", *sys.argv[1:]])
