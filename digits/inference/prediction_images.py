"""TODO"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from digits.datasets.contact_sheet import (
    GAP,
    INK,
    LINE,
    ORANGE,
    PAPER,
    SIDE,
    CaptionLine,
    add_caption,
    center_in_square,
    draw_boxes,
    enlarge,
    font,
    paste,
)
from digits.inference.prediction import Prediction
from digits.preprocessing.digit_extraction import ExtractedGlyphs
from digits.project import atomic_files


def save_previews(found: Iterator[Prediction], folder: Path) -> Iterator[Prediction]:
    """Hand on each answer after drawing it into `folder`: 00001-<name>.png and so on."""
    for number, answer in enumerate(found, start=1):
        if answer.reading.image is not None:
            path = folder / f"{number:05}-{Path(answer.reading.file).stem}.png"
            with atomic_files.atomic_file(path) as partial:
                prediction_card(answer, caption(answer), zoom=8).save(partial, "PNG")
        yield answer


def caption(answer: Prediction) -> list[CaptionLine]:
    """What the model says, as lines below a card."""
    if answer.status == "no digit":
        return [("no digit found", ORANGE)]
    colour = ORANGE if answer.status == "doubtful" else INK
    doubt = "  doubtful" if answer.status == "doubtful" else ""
    return [(f"{answer.text}  {answer.probability:.1%}{doubt}", colour)]


def prediction_card(answer: Prediction, lines: Sequence[CaptionLine], zoom: int) -> Image.Image:
    """The picture with its boxes, beside it the 28 x 28 pixels of each digit, `lines` below.

    A single digit is `zoom` times as large as 28 x 28, of several each has its answer below.
    The answer must have kept its scan.
    """
    scan, found = answer.reading.image, answer.reading.glyphs
    assert scan is not None
    assert found is not None
    side = SIDE * zoom
    if len(found.images) > 1:
        original = draw_boxes(scan, found.boxes, (2 * side, side))
        return add_caption(_beside(original, _rows(answer, found, side)), lines)
    digit = Image.new("RGB", (side, side), PAPER)
    if len(found.images):
        digit = enlarge(found.images[0], zoom)
    return add_caption(_beside(center_in_square(scan, found.boxes, side), digit), lines)


def _rows(answer: Prediction, found: ExtractedGlyphs, side: int) -> Image.Image:
    """Each digit as the network saw it with its answer, a new line per row of text.

    About `side` pixels high, at most six times as wide.
    """
    rows = found.rows.tolist()
    longest = max(rows.count(row) for row in rows)
    fitting = min(side // (rows[-1] + 1) - LINE, 6 * side // longest - 4)
    zoom = max(1, fitting // SIDE)
    step = SIDE * zoom + 4
    corners = [(step * (i - rows.index(row)), (step + LINE) * row) for i, row in enumerate(rows)]
    digits = [enlarge(picture, zoom) for picture in found.images]
    size = (step * longest, (step + LINE) * (rows[-1] + 1))
    image = paste(size, *zip(digits, corners, strict=True))
    pen = ImageDraw.Draw(image)
    for (left, top), digit, doubt in zip(corners, answer.digits, answer.doubtful, strict=True):
        middle, colour = (left + step / 2, top + step), ORANGE if doubt else INK
        pen.text(middle, digit, colour, font(15), anchor="ma")
    return image


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two images, aligned at the top."""
    size = (left.width + GAP + right.width, max(left.height, right.height))
    return paste(size, (left, (0, 0)), (right, (left.width + GAP, 0)))
