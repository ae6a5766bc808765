"""Picture files and what the network saw of them, drawn with Pillow: cards, and sheets of cards."""

from collections.abc import Sequence
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
        return _below(_beside(original, _line(answer, found, side)), lines)
    digit = Image.new("RGB", (side, side), PAPER)
    if len(found.pictures):
        digit = _enlarged(found.pictures[0], zoom)
    return _below(_beside(_centred(scan, found.boxes, side), digit), lines)


def thumbnail(scan: Scan, lines: Sequence[Line], side: int) -> Image.Image:
    """The picture alone, in the middle of `side` x `side` pixels, `lines` below."""
    return _below(_centred(scan, np.zeros((0, 4), np.int64), side), lines)


def check_ours(path: Path, maker: str) -> None:
    """UserError when something is at `path` that the command `maker` did not make."""
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
    widest = max(left + one.width for one, (left, _) in placed)
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


def _line(answer: Answer, found: Found, side: int) -> Image.Image:
    """Each digit as the network saw it with its answer, in a line.

    At most `side` pixels high, about six times as wide.
    """
    zoom = max(1, min(side - LINE, 6 * side // len(found.pictures) - 4) // SIDE)
    step = SIDE * zoom + 4
    digits = [(_enlarged(p, zoom), (step * i, 0)) for i, p in enumerate(found.pictures)]
    image = _pasted((step * len(digits), step + LINE), *digits)
    pen = ImageDraw.Draw(image)
    for i, (digit, doubt) in enumerate(zip(answer.digits, answer.doubtful, strict=True)):
        middle, colour = (step * (i + 0.5), step), ORANGE if doubt else INK
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
        pen.text((0, top + LINE * number), line, colour, _font(15))
    return whole


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: the same on every machine."""
    return ImageFont.load_default(size)
