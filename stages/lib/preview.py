"""Picture files and what the network saw of them, drawn with Pillow: cards, and sheets of cards."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps, PngImagePlugin

from stages.lib import files
from stages.lib.answers import Answer
from stages.lib.decode import Scan
from stages.lib.errors import UserError
from stages.lib.preprocess import Found

INK, GREY, BLUE, ORANGE = "#1f2933", "#7b8794", "#2563eb", "#ea580c"
PAPER = "white"
GAP = 10  # pixels between things
LINE = 20  # pixels from one line of text to the next
WIDTH = 1260  # pixels of a sheet
SIDE = 28
Line = tuple[str, str]  # a text and its colour
Placed = tuple[Image.Image, tuple[int, int]]  # an image and where its left upper corner is


def check_new(folder: Path, what: str) -> None:
    """UserError when there is anything at or in `folder`, where `what` shall be."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there and not empty; name a new folder for {what}")


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
    if len(found.pictures) > 1:
        original = _original(scan, found.boxes, (2 * side, side))
        return _below(_beside(original, _rows(answer, found, side)), lines)
    digit = Image.new("RGB", (side, side), PAPER)
    if len(found.pictures):
        digit = _enlarged(found.pictures[0], zoom)
    return _below(_beside(_centred(scan, found.boxes, side), digit), lines)


def thumbnail(scan: Scan, lines: Sequence[Line], side: int) -> Image.Image:
    """The picture alone, in the middle of `side` x `side` pixels, `lines` below."""
    return _below(_centred(scan, np.zeros((0, 4), np.int64), side), lines)


def digit(picture: NDArray[np.uint8], line: Line) -> Image.Image:
    """28 x 28 pixels, four times as large, with a line of text below."""
    return _below(_enlarged(picture, 4), [line])


def check_ours(path: Path, maker: str) -> None:
    """UserError when something is at `path` whose beginning does not name the command `maker`."""
    if path.is_dir() or (path.exists() and maker.encode() not in path.read_bytes()[:2000]):
        raise UserError(f"{path} is there and was not made by {maker}; name another file")


def write_sheet(cards: Sequence[Image.Image], heading: str, path: Path, maker: str) -> None:
    """Write a PNG with all cards under a heading, which says that the command `maker` made it."""
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", maker)
    with files.replacing(path) as partial:
        sheet(cards, heading).save(partial, "PNG", pnginfo=about)


def sheet(cards: Sequence[Image.Image], heading: str, width: int = WIDTH) -> Image.Image:
    """Cards from left to right under a heading, as many in a row as fit `width` pixels."""
    x, y, height = 2 * GAP, 5 * GAP, 0
    placed: list[Placed] = []
    for one in cards:
        if placed and x + one.width + 2 * GAP > width:
            x, y, height = 2 * GAP, y + height + 2 * GAP, 0
        placed.append((one, (x, y)))
        x, height = x + one.width + 2 * GAP, max(height, one.height)
    title = 2 * GAP + int(_font(17).getlength(heading))
    widest = max([title, *(left + one.width for one, (left, _) in placed)])
    whole = _pasted((widest + 2 * GAP, y + height + GAP), *placed)
    ImageDraw.Draw(whole).text((2 * GAP, GAP), heading, INK, _font(17))
    return whole


def _pasted(size: tuple[int, int], *placed: Placed) -> Image.Image:
    """Images on paper of that size."""
    whole = Image.new("RGB", size, PAPER)
    for image, place in placed:
        whole.paste(image, place)
    return whole


def _original(scan: Scan, boxes: NDArray[np.int64], most: tuple[int, int]) -> Image.Image:
    """The picture in at most that width and height, a frame around each digit."""
    height, width = scan.pixels.shape[:2]
    small = 2 * width < most[0] and 2 * height < most[1]
    way = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    image = ImageOps.contain(Image.fromarray(scan.pixels), most, way)
    pen = ImageDraw.Draw(image)
    for box in (boxes * (image.width / scan.size[0])).tolist():
        pen.rectangle(box, outline=BLUE, width=2)
    return image


def _centred(scan: Scan, boxes: NDArray[np.int64], side: int) -> Image.Image:
    """The picture with its frames, in the middle of a square."""
    return ImageOps.pad(_original(scan, boxes, (side, side)), (side, side), color=PAPER)


def _enlarged(picture: NDArray[np.uint8], zoom: int) -> Image.Image:
    """28 x 28 pixels as squares."""
    return ImageOps.scale(Image.fromarray(picture), zoom, Image.Resampling.NEAREST)


def _rows(answer: Answer, found: Found, side: int) -> Image.Image:
    """Each digit as the network saw it with its answer, a new line per row of text.

    About `side` pixels high, at most six times as wide.
    """
    rows = found.rows.tolist()
    longest = max(rows.count(row) for row in rows)
    fitting = min(side // (rows[-1] + 1) - LINE, 6 * side // longest - 4)
    zoom = max(1, fitting // SIDE)
    step = SIDE * zoom + 4
    corners = [(step * (i - rows.index(row)), (step + LINE) * row) for i, row in enumerate(rows)]
    digits = [_enlarged(picture, zoom) for picture in found.pictures]
    size = (step * longest, (step + LINE) * (rows[-1] + 1))
    image = _pasted(size, *zip(digits, corners, strict=True))
    pen = ImageDraw.Draw(image)
    for (left, top), digit, doubt in zip(corners, answer.digits, answer.doubtful, strict=True):
        middle, colour = (left + step / 2, top + step), ORANGE if doubt else INK
        pen.text(middle, digit, colour, _font(15), anchor="ma")
    return image


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two images, aligned at the top."""
    size = (left.width + GAP + right.width, max(left.height, right.height))
    return _pasted(size, (left, (0, 0)), (right, (left.width + GAP, 0)))


def _below(image: Image.Image, lines: Sequence[Line]) -> Image.Image:
    """Lines of text below an image, cut where they are wider."""
    top = image.height + GAP
    whole = _pasted((image.width, top + LINE * len(lines)), (image, (0, 0)))
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
