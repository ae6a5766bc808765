"""A picture file and what the network saw of it, drawn with Pillow: `digits predict` uses it."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from stages.lib import files
from stages.lib.answers import Answer
from stages.lib.decode import Scan
from stages.lib.errors import UserError

INK, GREY, BLUE, ORANGE = "#1f2933", "#7b8794", "#2563eb", "#ea580c"
PAPER = "white"
GAP = 10  # pixels between things
LINE = 20  # pixels from one line of text to the next
SIDE = 28
Line = tuple[str, str]  # a text and its colour


def prepare(folder: Path) -> None:
    """Make `folder` for previews. Raises UserError when there is anything in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there and not empty; name a new folder for the previews")
    folder.mkdir(parents=True, exist_ok=True)


def saved(found: Iterator[Answer], folder: Path) -> Iterator[Answer]:
    """Hand on each answer after drawing it into `folder`: 00001-<name>.png and so on."""
    for number, answer in enumerate(found, start=1):
        if answer.look.scan is not None:
            path = folder / f"{number:05}-{Path(answer.look.file).stem}.png"
            with files.replacing(path) as partial:
                card(answer, told(answer), zoom=8).save(partial, "PNG")
        yield answer


def told(answer: Answer) -> list[Line]:
    """What the model says, as lines below a card."""
    if answer.status == "no digit":
        return [("no digit found", ORANGE)]
    colour = ORANGE if answer.status == "doubtful" else INK
    doubt = "  doubtful" if answer.status == "doubtful" else ""
    return [(f"{answer.text}  {answer.probability:.1%}{doubt}", colour)]


def card(answer: Answer, lines: Sequence[Line], zoom: int) -> Image.Image:
    """The picture with its boxes, beside it the 28 x 28 pixels of each digit, `lines` below.

    A single digit is `zoom` times as large as 28 x 28, of several each has its answer below.
    The answer must have kept its scan.
    """
    scan, found = answer.look.scan, answer.look.found
    assert scan is not None
    assert found is not None
    side = SIDE * zoom
    several = len(found.pictures) > 1
    original = _original(scan, found.boxes, side * (1 + several), side)
    if several:
        return _below(_beside(original, _rows(answer, side)), lines)
    frame = Image.new("RGB", (side, side), PAPER)
    frame.paste(original, ((side - original.width) // 2, (side - original.height) // 2))
    digit = Image.new("RGB", (side, side), PAPER)
    if len(found.pictures):
        digit = _enlarged(found.pictures[0], zoom)
    return _below(_beside(frame, digit), lines)


def thumbnail(scan: Scan, lines: Sequence[Line], side: int) -> Image.Image:
    """The picture alone, in the middle of `side` x `side` pixels, `lines` below."""
    frame = Image.new("RGB", (side, side), PAPER)
    image = _original(scan, np.zeros((0, 4), np.int64), side, side)
    frame.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return _below(frame, lines)


def sheet(cards: Sequence[Image.Image], width: int, heading: str) -> Image.Image:
    """Cards from left to right under a heading, as many in a row as fit `width` pixels."""
    x, y, height = 2 * GAP, 5 * GAP, 0
    places: list[tuple[int, int]] = []
    for one in cards:
        if places and x + one.width + 2 * GAP > width:
            x, y, height = 2 * GAP, y + height + 2 * GAP, 0
        places.append((x, y))
        x, height = x + one.width + 2 * GAP, max(height, one.height)
    widest = max(left + one.width for (left, _), one in zip(places, cards, strict=True))
    whole = Image.new("RGB", (widest + 2 * GAP, y + height + GAP), PAPER)
    ImageDraw.Draw(whole).text((2 * GAP, GAP), heading, INK, _font(17))
    for place, one in zip(places, cards, strict=True):
        whole.paste(one, place)
    return whole


def check_ours(path: Path, maker: str) -> None:
    """UserError when something is at `path` that the command `maker` did not make."""
    if not path.exists():
        return
    try:
        with Image.open(path) as image:
            ours = image.info.get("Software") == maker
    except OSError:
        ours = False
    if not ours:
        raise UserError(f"{path} is there and was not made by {maker}; name another file")


def write(image: Image.Image, path: Path, maker: str) -> None:
    """Write a PNG that says which command made it."""
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", maker)
    with files.replacing(path) as partial:
        image.save(partial, "PNG", pnginfo=about)


def _original(scan: Scan, boxes: NDArray[np.int64], width: int, height: int) -> Image.Image:
    """The picture in at most `width` x `height` pixels, a frame around each digit."""
    image = Image.fromarray(scan.pixels)
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    way = Image.Resampling.NEAREST if scale > 2 else Image.Resampling.LANCZOS
    image = image.resize(size, way)
    pen = ImageDraw.Draw(image)
    for box in (boxes * (size[0] / scan.size[0])).tolist():
        pen.rectangle(box, outline=BLUE, width=2)
    return image


def _enlarged(picture: NDArray[np.uint8], zoom: int) -> Image.Image:
    """28 x 28 pixels as squares."""
    return Image.fromarray(np.kron(picture, np.ones((zoom, zoom), np.uint8))).convert("RGB")


def _rows(answer: Answer, side: int) -> Image.Image:
    """Each digit as the network saw it with its answer, a new line per row of text.

    About `side` pixels high, at most six times as wide.
    """
    found = answer.look.found
    assert found is not None
    rows = found.rows.tolist()
    longest = max(rows.count(row) for row in rows)
    fitting = min(side // (rows[-1] + 1) - LINE, 6 * side // longest - 4)
    zoom = max(1, fitting // SIDE)
    step = SIDE * zoom + 4
    column = [i - rows.index(row) for i, row in enumerate(rows)]
    size = (step * longest, (step + LINE) * (rows[-1] + 1))
    image = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(image)
    for i, picture in enumerate(found.pictures):
        left, top = step * column[i], (step + LINE) * rows[i]
        image.paste(_enlarged(picture, zoom), (left, top))
        colour = ORANGE if answer.doubtful[i] else INK
        pen.text((left + step / 2, top + step), answer.digits[i], colour, _font(15), anchor="ma")
    return image


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two images, aligned at the top."""
    size = (left.width + GAP + right.width, max(left.height, right.height))
    whole = Image.new("RGB", size, PAPER)
    whole.paste(left, (0, 0))
    whole.paste(right, (left.width + GAP, 0))
    return whole


def _below(image: Image.Image, lines: Sequence[Line]) -> Image.Image:
    """Lines of text below an image, cut where they are wider."""
    top = image.height + GAP
    whole = Image.new("RGB", (image.width, top + LINE * len(lines)), PAPER)
    whole.paste(image, (0, 0))
    pen = ImageDraw.Draw(whole)
    for number, (line, colour) in enumerate(lines):
        pen.text((0, top + LINE * number), _cut(line, image.width), colour, _font(15))
    return whole


def _cut(line: str, width: int) -> str:
    """`line`, or as much of it as fits."""
    if _font(15).getlength(line) <= width:
        return line
    while line and _font(15).getlength(f"{line}...") > width:
        line = line[:-1]
    return f"{line}..."


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: the same on every machine."""
    return ImageFont.load_default(size)
